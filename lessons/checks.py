"""Judgements that several lessons share: each looks at recorded runs and raises Fail.

A message has four parts: the fact, what was expected, where in the source, and the next command.
Each kind of judgement has a page in docs/checks/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toyvm.isa.causes import CAUSE_BREAKPOINT, cause_title

from . import exits
from .record import Access, Breach, register_name
from .runner import GAP, Bench, Block, Blocked, CaseMaker, GuestRun, Run, base_address


@dataclass
class Fail(Exception):
    """A check that found something wrong; ``page`` is the name of its page in docs/checks/."""

    fact: str
    expected: str
    where: str = ""
    next: str = ""
    page: str = ""

    def __str__(self) -> str:
        return f"{self.fact}; expected {self.expected}"


EARLY_END = "a run ended early"
STACK_NEAR = 4096
"""Bytes around the stack frame that a message still describes by their distance from sp."""


def hexed(value: int, signed: bool = False) -> str:
    """A 32-bit value as messages show it: hexadecimal, and decimal where that looks different."""
    shown = value - (1 << 32) if signed and value >> 31 else value
    return f"{value:#x}" if 0 <= shown < 10 else f"{value:#x} ({shown})"


def after(vm: Bench, *tests: Callable[[Bench], None]) -> None:
    """Judges nothing before these checks pass: a limit says nothing about a wrong result."""
    for test in tests:
        try:
            test(vm)
        except Fail:
            name = test.__name__.removeprefix("test_")
            raise Blocked(f"the check '{name}' comes first") from None


# -- the end of a run -----------------------------------------------------------------------------


def labels(vm: Bench, *names: str) -> None:
    """The submission defines these labels."""
    missing = vm.missing(*names)
    if missing:
        raise Fail(
            f"the label '{missing[0]}' is missing",
            f"a label '{missing[0]}' where the lesson's text says, named in .globl",
            where=vm.source,
            next=f"toyvm reset {vm.lesson.id}  (starts again, keeps the old file beside it)",
        )


def starts_at(vm: Bench, label: str) -> None:
    """The label is where the firmware jumps to: at the first byte of the program."""
    first = base_address(vm.lesson)
    if vm.program.symbols[label] != first:
        raise Fail(
            f"'{label}' is at {vm.program.symbols[label]:#x}",
            f"'{label}' as the first instruction in .text, at {first:#x}: the firmware jumps there",
            where=vm.source,
        )


def ends(vm: Bench, *makers: CaseMaker) -> None:
    """Every run ends as its case says: by ebreak or by returning to the grader's call."""
    for run in vm.attempts(*makers):
        if run.ended:
            continue
        if run.record.breach is not None:
            raise Blocked(EARLY_END)
        raise _not_ended(vm, run)


def _not_ended(vm: Bench, run: Run) -> Fail:
    record, program = run.record, run.program
    expected = "an ebreak at the end" if run.case.ends == "ebreak" else "a ret to the caller"
    last = program.where(record.last_pc)
    if record.outcome == "budget":
        busiest = record.visits.most_common(1)[0][0]
        return Fail(
            f"no end after {record.retired} instructions ({run.name})",
            f"{expected}, within {vm.lesson.insns} instructions",
            where=f"{program.where(busiest)}, executed {record.visits[busiest]} times",
            page="budget",
        )
    if record.outcome == "left":
        if record.end_pc == record.last_pc + 4:
            fact = f"execution ran past the instruction at {last} into memory without code"
        elif not record.retired:
            fact = f"no instruction at the label '{run.case.entry}'"
        else:
            fact = f"a jump to {record.end_pc:#x}, where no code of the program is"
        return Fail(f"{fact} ({run.name})", expected, where=last, page="past-end")
    if record.outcome == "trap" and record.trap is not None:
        trap = record.trap
        detail = "" if trap.cause == CAUSE_BREAKPOINT else f", value {trap.tval:#x}"
        return Fail(
            f"a trap: {cause_title(trap.cause)}{detail} ({run.name})",
            f"no trap before {expected}",
            where=program.where(trap.epc),
            page="trap",
        )
    if record.outcome == "returned":
        return Fail(f"a return to the caller ({run.name})", expected, where=last, page="past-end")
    return Fail(f"the machine was ended by a store ({run.name})", expected, where=last, page="trap")


def ended_by_guest(vm: Bench, runs: list[GuestRun]) -> None:
    """Every virtual machine was shut down by its guest, with code 0."""
    for run in runs:
        if run.ended:
            continue
        if run.outcome == "budget":
            fact = f"no shutdown after {vm.steps} steps"
        elif run.outcome == "exit" and run.rebooted:
            fact = "the guest asked for a reboot"
        elif run.outcome == "exit":
            fact = f"the guest ended with code {run.code}"
        elif run.outcome == "idle":
            fact = "the guest waits for an interrupt that cannot come"
        else:
            fact = f"the guest stopped: {run.detail or run.outcome}"
        raise Fail(
            f"{fact} ({run.name})",
            f"a shutdown call to SBI within {vm.steps} steps",
            where=run.program.where(int(run.machine.pc)),
            page="budget" if run.outcome == "budget" else "trap",
        )


# -- breaches that end a run ----------------------------------------------------------------------


def _breach(vm: Bench, makers: tuple[CaseMaker, ...], kinds: tuple[str, ...]) -> None:
    """Fail at a breach of these kinds; a run that stopped for another reason proves nothing."""
    for run in vm.attempts(*makers):
        breach = run.record.breach
        if breach is not None and breach.kind in kinds:
            raise _WORDS[breach.kind](run, breach)
    vm.runs(*makers)


def _calls_made(vm: Bench, makers: tuple[CaseMaker, ...]) -> None:
    if all(run.record.depth == 1 for run in vm.attempts(*makers)):
        raise Blocked("the program makes no call")


def defined(vm: Bench, *makers: CaseMaker) -> None:
    """No register is used before the program gave it a value."""
    _breach(vm, makers, ("defined",))


def temporaries(vm: Bench, *makers: CaseMaker) -> None:
    """No t or a register is counted on after a call."""
    _breach(vm, makers, ("temps",))
    _calls_made(vm, makers)


def saved_registers(vm: Bench, *makers: CaseMaker) -> None:
    """s0 to s11 are at every return what they were at the call."""
    _breach(vm, makers, ("saved",))
    _calls_made(vm, makers)


def stack_pointer(vm: Bench, *makers: CaseMaker) -> None:
    """sp is at every return what it was at the call, and aligned at every call."""
    _breach(vm, makers, ("sp", "align"))
    _calls_made(vm, makers)


def returns(vm: Bench, *makers: CaseMaker) -> None:
    """Every ret goes to the instruction after its call."""
    _breach(vm, makers, ("returns",))
    _calls_made(vm, makers)


def _say_defined(run: Run, breach: Breach) -> Fail:
    name = register_name(breach.register)
    why = {
        "start": f"{name} is read, but nothing gave it a value",
        "memory": f"{name} was loaded from memory that nothing gave a value",
        "entry": f"{name} is read in a function that was not given it: calls pass values in a0-a7",
    }[breach.why]
    return Fail(
        f"{why} ({run.name})",
        f"an instruction that writes {name} before the first one that reads it",
        where=run.program.where(breach.pc),
        page="uninitialised",
    )


def _say_temps(run: Run, breach: Breach) -> Fail:
    name = register_name(breach.register)
    return Fail(
        f"{name} is read after a call that may have changed it ({run.name})",
        "values that outlive a call in s registers or in the stack frame",
        where=f"{run.program.where(breach.pc)}, call at {run.program.where(breach.other)}",
        page="calling-convention",
    )


def _say_saved(run: Run, breach: Breach) -> Fail:
    name = register_name(breach.register)
    return Fail(
        f"{name} is {breach.got:#x} at the return and was {breach.want:#x} at the call"
        f" ({run.name})",
        f"{name} with the value it had at the call",
        where=_return_and_call(run, breach) + _written(run, breach.register),
        page="calling-convention",
    )


def _return_and_call(run: Run, breach: Breach) -> str:
    call = run.program.where(breach.other)
    return f"return at {run.program.where(breach.pc)}, call at {call}"


def _written(run: Run, register: int) -> str:
    pc = run.record.writer.get(register)
    return "" if pc is None else f", last written at {run.program.where(pc)}"


def _say_sp(run: Run, breach: Breach) -> Fail:
    offset = breach.got - breach.want
    side = "below" if offset < 0 else "above"
    return Fail(
        f"sp is {abs(offset)} bytes {side} its value at the call ({run.name})",
        "sp with the value it had at the call, on every way out",
        where=_return_and_call(run, breach),
        page="calling-convention",
    )


def _say_align(run: Run, breach: Breach) -> Fail:
    return Fail(
        f"sp is {breach.got:#x} at a call ({run.name})",
        "a multiple of 16",
        where=run.program.where(breach.pc),
        page="calling-convention",
    )


def _say_returns(run: Run, breach: Breach) -> Fail:
    name = register_name(breach.register)
    return Fail(
        f"{name} leads to {run.program.where(breach.got)} at the return ({run.name})",
        f"the instruction after {run.program.where(breach.other)}",
        where=f"{run.program.where(breach.pc)}{_written(run, breach.register)}",
        page="calling-convention",
    )


_WORDS: dict[str, Callable[[Run, Breach], Fail]] = {
    "defined": _say_defined,
    "temps": _say_temps,
    "saved": _say_saved,
    "sp": _say_sp,
    "align": _say_align,
    "returns": _say_returns,
}


# -- registers and memory -------------------------------------------------------------------------


def register(run: Run, name: str, want: int, what: str) -> None:
    """The register holds ``want`` at the end; ``what`` says in words what that is."""
    got = run.reg(name)
    if got != want:
        writer = run.writer(name)
        raise Fail(
            f"{name} is {hexed(got)} ({run.name})",
            f"{hexed(want)}, {what}",
            where=f"{name} was last written at {writer}" if writer else f"{name} is never written",
            page="result",
        )


def no_lost_results(vm: Bench, *makers: CaseMaker) -> None:
    """No instruction computes or loads something into x0."""
    for run in vm.attempts(*makers):
        if run.record.lost:
            raise Fail(
                f"a result goes to x0 and is lost ({run.name})",
                "another destination register",
                where=run.program.where(run.record.lost[0]),
                page="result",
            )
    vm.runs(*makers)


def loads_inside(vm: Bench, makers: tuple[CaseMaker, ...], names: tuple[str, ...]) -> None:
    """Every load hits a block called one of ``names``, the own frame or the program's own bytes."""
    for run in vm.attempts(*makers):
        _inside(run, run.record.loads, names, own_bytes=True)
    for run in vm.runs(*makers):
        wanted = any(block.data for block in run.case.blocks if block.name in names)
        if wanted and not run.record.loads:
            raise Blocked(f"{run.case.entry} loads nothing ({run.name})")


def stores_inside(vm: Bench, makers: tuple[CaseMaker, ...], names: tuple[str, ...]) -> None:
    """Every store hits a block called one of ``names`` or the own stack frame."""
    for run in vm.attempts(*makers):
        _inside(run, run.record.stores, names, own_bytes=False)
    for run in vm.runs(*makers):
        if not run.record.stores and any(block.name in names for block in run.case.blocks):
            raise Blocked(f"{run.case.entry} stores nothing ({run.name})")


def _inside(run: Run, accesses: list[Access], names: tuple[str, ...], own_bytes: bool) -> None:
    blocks = [block for block in run.case.blocks if block.name in names]
    for access in accesses:
        if access.in_frame or any(access.inside(b.address, len(b.data)) for b in blocks):
            continue
        if own_bytes and run.program.image_bytes(access.address, access.width) is not None:
            continue
        verb, kind = ("stored", "stores") if access.store else ("loaded", "loads")
        allowed = [*(f"the {block.name}" for block in blocks), "the own stack frame"]
        raise Fail(
            f"{_bytes(access.width)} {verb} {_place(run, access)} ({run.name})",
            f"{kind} only in {' or '.join(allowed)}",
            where=run.program.where(access.pc),
            page="memory",
        )


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _place(run: Run, access: Access) -> str:
    for block in run.case.blocks:
        size, offset = len(block.data), access.address - block.address
        if offset <= -GAP or offset >= size + GAP:
            continue
        if offset < 0:
            return f"{_bytes(-offset)} before the {block.name}"
        if offset >= size:
            distance = _bytes(offset - size) if offset > size else "just"
            return f"{distance} behind the end of the {block.name}"
        if offset + access.width > size:
            return f"over the end of the {block.name}, by {_bytes(offset + access.width - size)}"
        return f"at byte {offset} of the {block.name}"
    if access.low - STACK_NEAR < access.address < access.low:
        return f"{_bytes(access.low - access.address)} below sp"
    if access.low <= access.address < run.record.entry_sp + STACK_NEAR:
        return f"at sp + {access.address - access.low}, above the own frame"
    return f"at address {access.address:#x}"


def at_most(run: Run, count: int, limit: int, what: str, where: str = "") -> None:
    """A count (instructions, bytes, exits) stays within its limit."""
    if count > limit:
        raise Fail(f"{count} {what} ({run.name})", f"at most {limit}", where=where, page="budget")


def at_least(run: Run, count: int, limit: int, what: str) -> None:
    """A count reaches its limit."""
    if count < limit:
        raise Fail(f"{count} {what} ({run.name})", f"at least {limit}", page="result")


def stored(run: Run, got: int, want: int, what: str, block: Block, signed: bool) -> None:
    """The number in memory at ``block`` is ``want``; ``what`` says in words what that is."""
    if got == want:
        return
    pcs = [a.pc for a in run.record.stores if a.address in range(*_ends(block))]
    raise Fail(
        f"the {block.name} in memory is {hexed(got, signed)} ({run.name})"
        if pcs
        else f"nothing was stored at the {block.name} ({run.name})",
        f"{hexed(want, signed)}, {what}",
        where=f"last stored at {run.program.where(pcs[-1])}" if pcs else "",
        page="result",
    )


def _ends(block: Block) -> tuple[int, int]:
    return block.address, block.address + len(block.data)


# -- guests in virtual machines -------------------------------------------------------------------


def prediction(vm: Bench, run: GuestRun, cause: str, each: int, once: int, n: int) -> None:
    """``each`` * n + ``once`` is what the ledger of the given kernel counts for ``cause``."""
    name = exits.title(cause)
    where = f"{vm.source}, the words at the label 'predict'"
    if each < 0 or once < 0:
        raise Fail(
            f"no prediction of the exits for {name}",
            "two numbers from 0 on: in each round, once in the run",
            where=where,
            page="exits",
        )
    counted = run.exits[cause]
    if each * n + once != counted:
        raise Fail(
            f"{each} * {n} + {once} = {each * n + once} exits for {name} predicted;"
            f" the ledger counts {counted} ({run.name})",
            "a prediction that fits the given kernel for every n",
            where=where,
            page="exits",
        )


def console(vm: Bench, run: GuestRun, want: bytes) -> None:
    """The guest printed exactly these bytes."""
    got = run.console
    if got == want:
        return
    same = next((i for i, (a, b) in enumerate(zip(got, want, strict=False)) if a != b), None)
    at = min(len(got), len(want)) if same is None else same
    raise Fail(
        f"{len(got)} bytes on the console, {_around(got, at)} ({run.name})",
        f"{len(want)} bytes, {_around(want, at)}",
        page="result",
    )


def _around(data: bytes, at: int) -> str:
    part = data[at : at + 8]
    text = "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in part)
    return f"from byte {at} on '{text}'" if part else f"nothing from byte {at} on"


def guest_word(vm: Bench, run: GuestRun, label: str, want: int, what: str) -> None:
    """The word at ``label`` is ``want`` when the guest has ended."""
    got = run.word(label)
    if got != want:
        found = "not readable" if got is None else hexed(got)
        raise Fail(
            f"the word at '{label}' is {found} ({run.name})",
            f"{hexed(want)}, {what}",
            page="result",
        )


def fewer_exits(vm: Bench, run: GuestRun, given: GuestRun, factor: int) -> None:
    """At most 1/``factor`` of the given kernel's exits remain."""
    if run.total * factor > given.total:
        counts = ", ".join(f"{exits.title(c)} {n}" for c, n in run.exits.items() if n)
        raise Fail(
            f"{run.total} exits: {counts} ({run.name})",
            f"at most {given.total // factor}; the given kernel takes {given.total}",
            page="exits",
        )
