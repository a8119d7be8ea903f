"""Commands that let the guests run: stepi, nexti, continue, until, advance, finish, run."""

from __future__ import annotations

from toyvm.isa.registers import SP

from .. import context
from ..errors import DebugError
from ..expr import location
from ..formats import with_symbol
from ..frames import backtrace
from ..running import Stopped, ending, go
from ..session import Session
from ..stepping import over, step_lines
from .base import Command, number
from .displays import show_displays


def report(session: Session, stopped: Stopped) -> None:
    """Say why everything stands still, then show the context and the displays."""
    target = stopped.target
    session.select(target.name)
    where = with_symbol(target.pc, session.symbols)
    name = f"{target.name}: " if session.many else ""
    for note in stopped.notes:
        session.write(note)
    if stopped.reason in ("exit", "error"):
        assert stopped.stop is not None
        session.write(f"[{target.name} {_ended(stopped)}; {target.instret:,} instructions]")
        if stopped.reason == "exit":
            return
    elif stopped.reason == "breakpoint":
        numbers = ", ".join(str(point.number) for point in stopped.points)
        kind = "Temporary breakpoint" if stopped.points[0].temporary else "Breakpoint"
        session.write(f"{name}{kind} {numbers}, {where}")
    elif stopped.reason == "interrupted":
        session.write(f"{name}Interrupted at {where}")
    elif stopped.reason == "idle":
        session.write(
            f"{name}Idle at {where}: waiting in wfi, and nothing is enabled that could wake it. "
            "`input TEXT` types on its console."
        )
    else:
        session.write(f"{name}{where}")
    show_line(session)
    context.show(session)
    show_displays(session)


def show_line(session: Session) -> None:
    """The source line at pc, as gdb shows it at a stop: its number and its text."""
    place = session.symbols.line_of(session.target.pc)
    if place is None:
        return
    text = session.symbols.source_line(*place)
    if text is None:
        session.write(f"{place[1]:<7} in {place[0]}")
    else:
        session.write(f"{place[1]:<7} {text.expandtabs()}")


def _ended(stopped: Stopped) -> str:
    assert stopped.stop is not None
    text = ending(stopped.stop)
    return text if stopped.reason == "exit" else f"stopped with an {text}"


class StepI(Command):
    """stepi."""

    names = ("stepi", "si")
    usage = "[N]"
    help = """Do one step, or N steps, of the selected guest.
A step is one retired instruction or one trap delivered. A breakpoint ends a longer run early.
Other guests of a lab stand still meanwhile."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        count = number(arguments, "a number of steps", 1) if arguments else 1
        report(session, go(session, steps=count, alone=True))


class NextI(Command):
    """nexti."""

    names = ("nexti", "ni")
    usage = "[N]"
    help = """Do one instruction, or N; a call counts as one, and so does a system call.
A call is a jump that leaves its return address in ra or t0."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        count = number(arguments, "a number of instructions", 1) if arguments else 1
        stopped = None
        for _ in range(count):
            stopped = over(session)
            if stopped.reason not in ("steps", "reached"):
                break
        assert stopped is not None
        report(session, stopped)


class Step(Command):
    """step."""

    names = ("step", "s")
    usage = "[N]"
    help = """Run to the beginning of another line of the source; into functions that have lines.
Functions without lines are run to their end. Where pc has no line it is `stepi`."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        count = number(arguments, "a number of lines", 1) if arguments else 1
        report(session, step_lines(session, count, into=True))


class Next(Command):
    """next."""

    names = ("next", "n")
    usage = "[N]"
    help = """Run to the beginning of another line of the source; calls count as part of the line.
Where pc has no line it is `nexti`."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        count = number(arguments, "a number of lines", 1) if arguments else 1
        report(session, step_lines(session, count, into=False))


class Continue(Command):
    """continue."""

    names = ("continue", "c", "cont", "fg")
    usage = "[N]"
    help = """Run until a breakpoint, the guest's end, or Ctrl-C.
With N, pass the breakpoint that stopped last N - 1 more times.
On a terminal the keys go to the guest's console meanwhile; Ctrl-C or Ctrl-A C comes back."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        if arguments:
            count = number(arguments, "a count", 1)
            points = session.breakpoints.at(session.selected, session.target.pc)
            if not points:
                raise DebugError("Not stopped at any breakpoint; argument ignored.")
            for point in points:
                point.ignore = count - 1
        report(session, go(session))


class Until(Command):
    """until."""

    names = ("until", "u")
    usage = "[LOCATION]"
    help = """Run until LOCATION, or until the next higher address: it leaves a loop.
Without LOCATION a backward branch at pc is run to its end."""

    completes = "location"

    def run(self, session: Session, arguments: str, form: str) -> None:
        target = session.target
        where = location(session, arguments) if arguments else (target.pc + 4) & 0xFFFF_FFFF
        sp = target.reg(SP)
        done = None if arguments else lambda: target.reg(SP) >= sp
        report(session, go(session, stop_at=where, done=done))


class Advance(Command):
    """advance."""

    names = ("advance",)
    usage = "LOCATION"
    help = """Run until LOCATION.
LOCATION is a symbol, *ADDRESS, FILE:LINE or an expression."""
    completes = "location"

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            raise DebugError("Argument required (a location).")
        report(session, go(session, stop_at=location(session, arguments)))


class Finish(Command):
    """finish."""

    names = ("finish", "fin")
    help = """Run until the current function returns to its caller.
The return address is read from the function's prologue or from ra (see `help backtrace`)."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        target = session.target
        frames = backtrace(target, session.symbols, limit=2)
        if len(frames) < 2:
            raise DebugError(
                '"finish" cannot tell where this function returns to; '
                "try `advance *ADDRESS` or `tbreak`."
            )
        caller = frames[1]
        session.write(f"Run till exit to {with_symbol(caller.pc, session.symbols)}")
        stopped = go(session, stop_at=caller.pc, done=lambda: target.reg(SP) >= caller.sp)
        report(session, stopped)
        if stopped.reason == "reached":
            value = target.reg(10)
            session.write(f"Value returned in a0: {value:#010x} ({value})")


class Run(Command):
    """run."""

    names = ("run", "r")
    help = """Start again from reset and run; breakpoints stay.
Memory, clock and temporary disks start over. Disk files keep what the guest wrote."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        session.restart()
        report(session, go(session))


class Start(Command):
    """start."""

    names = ("start", "restart")
    help = """Start again from reset and stop before the first instruction."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        session.restart()
        session.write(f"At reset: {with_symbol(session.target.pc, session.symbols)}")
        context.show(session)
        show_displays(session)


COMMANDS: tuple[Command, ...] = (
    StepI(),
    NextI(),
    Step(),
    Next(),
    Continue(),
    Until(),
    Advance(),
    Finish(),
    Run(),
    Start(),
)
