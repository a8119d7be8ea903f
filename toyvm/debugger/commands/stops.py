"""Commands that place and manage breakpoints."""

from __future__ import annotations

import re

from ..breakpoints import Breakpoint
from ..errors import DebugError
from ..expr import check, location
from ..formats import with_symbol
from ..session import Session
from .base import Command, number


def place(session: Session, arguments: str, temporary: bool) -> Breakpoint:
    """Read `LOCATION [if CONDITION]` and add the breakpoint."""
    where, condition = arguments, ""
    match = re.match(r"(?P<where>.*?)(?:^|\s)if\b(?P<condition>.*)", arguments, re.DOTALL)
    if match is not None:
        where, condition = match["where"].strip(), match["condition"].strip()
        if not condition:
            raise DebugError("Condition expected after if.")
        check(session, condition)
    address = location(session, where)
    point = session.breakpoints.add(
        address, where or "*$pc", session.selected, temporary, condition
    )
    kind = "Temporary breakpoint" if temporary else "Breakpoint"
    line = session.symbols.line_of(address)
    source = f": file {line[0]}, line {line[1]}" if line else ""
    session.write(f"{kind} {point.number} at {with_symbol(address, session.symbols)}{source}")
    if session.target.read(address, 4) is None:
        session.write("  note: nothing is mapped there now; it stops when something is")
    return point


class Break(Command):
    """break."""

    names = ("break", "b", "br")
    usage = "[LOCATION] [if CONDITION]"
    help = """Stop before the instruction at LOCATION (default: pc).
LOCATION is a symbol, *ADDRESS, FILE:LINE or an expression. The condition is evaluated at
each hit: break handler if $a7 == 1"""
    completes = "location"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        place(session, arguments, temporary=False)


class TBreak(Command):
    """tbreak."""

    names = ("tbreak", "tb")
    usage = "[LOCATION] [if CONDITION]"
    help = """As break, but the breakpoint is deleted when it stops for the first time."""
    completes = "location"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        place(session, arguments, temporary=True)


def numbers(session: Session, arguments: str) -> list[int]:
    """Breakpoint numbers of `1 3-5`; all of them without arguments. DebugError if one is not."""
    if not arguments:
        return [point.number for point in session.breakpoints]
    found: list[int] = []
    for word in arguments.split():
        low, dash, high = word.partition("-")
        first = number(low, "a breakpoint number", 1)
        last = number(high, "a breakpoint number", 1) if dash else first
        if last - first > 10_000:
            raise DebugError(f"Range {word} is too long")
        found += range(first, last + 1)
    for index in found:
        session.breakpoints.get(index)
    return found


class Delete(Command):
    """delete."""

    names = ("delete", "d", "del")
    usage = "[N ...]"
    help = """Delete breakpoints by number; all of them without arguments.
Ranges such as 2-5 are accepted."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        for index in numbers(session, arguments):
            session.breakpoints.delete(index)


class Enable(Command):
    """enable."""

    names = ("enable", "en")
    usage = "[N ...]"
    help = """Let disabled breakpoints stop again; all of them without arguments."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        for index in numbers(session, arguments):
            session.breakpoints.get(index).enabled = True


class Disable(Command):
    """disable."""

    names = ("disable", "dis")
    usage = "[N ...]"
    help = """Keep breakpoints but do not stop at them; all of them without arguments."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        for index in numbers(session, arguments):
            session.breakpoints.get(index).enabled = False


class Condition(Command):
    """condition."""

    names = ("condition",)
    usage = "N [EXPRESSION]"
    help = """Make breakpoint N stop only when EXPRESSION is not 0; without one, always."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            raise DebugError("Argument required (breakpoint number).")
        word, _, condition = arguments.partition(" ")
        point = session.breakpoints.get(number(word, "a breakpoint number", 1))
        if condition.strip():
            check(session, condition)
        point.condition = condition.strip()
        if not point.condition:
            session.write(f"Breakpoint {point.number} now unconditional.")


class Ignore(Command):
    """ignore."""

    names = ("ignore",)
    usage = "N COUNT"
    help = """Pass breakpoint N the next COUNT times."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        words = arguments.split()
        if len(words) != 2:
            raise DebugError("Arguments required (breakpoint number and count).")
        point = session.breakpoints.get(number(words[0], "a breakpoint number", 1))
        point.ignore = number(words[1], "a count")
        session.write(f"Will ignore next {point.ignore} crossings of breakpoint {point.number}.")


COMMANDS: tuple[Command, ...] = (
    Break(),
    TBreak(),
    Delete(),
    Enable(),
    Disable(),
    Condition(),
    Ignore(),
)
