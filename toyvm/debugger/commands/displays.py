"""display and undisplay: expressions shown at every stop, after the context."""

from __future__ import annotations

from ..errors import DebugError
from ..expr import evaluate
from ..formats import Format, parse_format, show
from ..session import Display, Session
from .base import Command, number


def show_display(session: Session, display: Display) -> None:
    """Print one display; what cannot be computed says so and stays."""
    try:
        value = evaluate(session, display.text)
    except DebugError as error:
        session.write(f"{display.number}: {display.text} = <{error}>")
        return
    form = display.form or Format()
    letter = f"/{form.letter}" if display.form else ""
    text = show(value, form, session.symbols)
    session.write(f"{display.number}:{letter} {display.text} = {text}")


def show_displays(session: Session) -> None:
    """Print all displays."""
    for display in session.displays:
        show_display(session, display)


class DisplayCommand(Command):
    """display."""

    names = ("display",)
    usage = "[/FMT] [EXPRESSION]"
    help = """Show an expression now and at every stop; without one, show all of them now.
`undisplay N` takes one away."""
    takes_format = True
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            show_displays(session)
            return
        chosen = parse_format(form, Format()) if form else None
        if chosen is not None and chosen.letter in "is":
            raise DebugError(f"display/{chosen.letter} is not available; use x/{chosen.letter}")
        evaluate(session, arguments)
        last = session.displays[-1].number if session.displays else 0
        display = Display(last + 1, arguments, chosen)
        session.displays.append(display)
        show_display(session, display)


class Undisplay(Command):
    """undisplay."""

    names = ("undisplay",)
    usage = "[N]"
    help = """Take display N away, or all of them."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            session.displays.clear()
            return
        wanted = number(arguments, "the number of a display", 1)
        if not any(display.number == wanted for display in session.displays):
            raise DebugError(f"No display number {wanted}.")
        session.displays = [d for d in session.displays if d.number != wanted]


COMMANDS: tuple[Command, ...] = (DisplayCommand(), Undisplay())
