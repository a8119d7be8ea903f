"""Stepping by instructions over calls, and by lines of the source."""

from __future__ import annotations

from toyvm.isa.registers import SP

from .code import current, is_call, is_system_call
from .running import Stopped, go
from .session import Session

#: A line that takes more single steps than this ends the command where it is.
LONGEST_LINE = 20_000


def over(session: Session) -> Stopped:
    """One instruction; a call or system call is run to its end."""
    insn = current(session.target)
    if not is_call(insn) and not is_system_call(insn):
        return go(session, steps=1, alone=True)
    return _until_return(session, session.target.pc + 4, session.target.reg(SP))


def _until_return(session: Session, back: int, sp: int) -> Stopped:
    """Run until a call returns to `back`."""
    target = session.target
    mode, satp = target.mode, target.csr("satp")

    def returned() -> bool:
        # The same place in another process or in a deeper call is not the return.
        return target.reg(SP) >= sp and target.mode == mode and target.csr("satp") == satp

    return go(session, stop_at=back, done=returned)


def step_lines(session: Session, count: int, into: bool) -> Stopped:
    """Go to the beginning of another line, `count` times.

    `into` enters functions that have lines. Without a line at pc it is one instruction.
    """
    stopped = None
    for _ in range(count):
        stopped = _one_line(session, into)
        if stopped.reason not in ("steps", "reached"):
            break
    assert stopped is not None
    return stopped


def _one_line(session: Session, into: bool) -> Stopped:
    target, symbols = session.target, session.symbols
    start = symbols.line_of(target.pc)
    if start is None:
        return go(session, steps=1, alone=True) if into else over(session)
    for _ in range(LONGEST_LINE):
        before, sp = target.pc, target.reg(SP)
        call = is_call(current(target))
        stopped = go(session, steps=1, alone=True) if into else over(session)
        if stopped.reason not in ("steps", "reached"):
            return stopped
        here = symbols.line_of(target.pc)
        if here is None and into and call and target.pc != before + 4:
            # A function without lines: run it to its end.
            stopped = _until_return(session, before + 4, sp)
            if stopped.reason not in ("steps", "reached"):
                return stopped
            here = symbols.line_of(target.pc)
        if here is not None and (here != start or target.pc <= before):
            # The middle of another line is not its beginning: its statement goes on.
            if symbols.begins_line(target.pc):
                return stopped
            start = here
    stopped.notes.append(
        f"{start[0]}:{start[1]}: the line goes on after {LONGEST_LINE:,} steps; step again, or "
        "set a breakpoint behind it and continue"
    )
    return stopped
