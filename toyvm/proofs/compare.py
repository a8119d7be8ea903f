"""`toyvm compare`: one guest bare and virtualised, in lock-step.

Both computers run to the same step: the next virtual trap, or a number of steps at most.  There
registers, records, console and endings must be equal; after every `every` steps, and at the end,
memory and disks as well.  A difference is then narrowed to the step that makes it, by running the
same guest again: every run is deterministic.

Bare and virtualised runs share the privileged kernels, so this finds errors of virtualisation
only; the hart itself is judged by an independent model (docs/reliability.md).  With a rung of
hypercalls the bare machine answers them too (see `reference`), so that even then nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from toyvm.hypervisor import Vm, ledger, shadow, vcpu
from toyvm.hypervisor.vm import Vcpu
from toyvm.isa.disasm import disasm
from toyvm.machine import Computer, Stop
from toyvm.machine.computer import BUDGET
from toyvm.proofs import bugs
from toyvm.proofs.reference import Follower, run
from toyvm.proofs.snapshot import (
    disk_hash,
    harts_of,
    memory_difference,
    quickly_equal,
    values,
)

TRAP: Final = "trap"
"""Reason of a Stop: a virtual trap has just been delivered."""
NOTE: Final = (
    "bare and virtualised runs share the hart's kernels: this finds errors of virtualisation only"
)
#: Makes a bare machine and a VM with the same fresh guest.
Make = Callable[[], tuple[Computer, Vm]]


@dataclass(frozen=True)
class Difference:
    """The first difference: the step that makes it, the instruction, and what is not equal."""

    step: int
    pc: int
    mode: str
    word: int | None
    text: str
    table: list[tuple[str, Any, Any]]
    """(name, bare, virtualised)."""
    exits: list[str] = field(default_factory=list)
    """The VM's last exits, as sentences."""
    exact: bool = True
    """False if the difference needs the stops of the first run: then only its range is known."""
    since: int = 0


@dataclass
class Comparison:
    """What a lock-step run has seen."""

    steps: int = 0
    checks: int = 0
    """Points at which registers and records were compared."""
    memory_checks: int = 0
    traps: int = 0
    calls: int | None = None
    """Calls of the hypervisor that the guest has made; None if it was offered none."""
    stop: Stop = field(default_factory=lambda: Stop(BUDGET))
    difference: Difference | None = None

    @property
    def equal(self) -> bool:
        return self.difference is None


def prepare(vm: Vm, bug: str | None = None) -> None:
    """Make a VM stop after each virtual trap, and give its hypervisor a bug if wanted.

    The change is made in this one object: no other VM is slower for it.
    """
    for hart in vm.harts:
        hart.control[shadow.TRACE] = 1
    other = vm._other_exit

    def other_exit(code: int) -> Stop | None:
        if code != vcpu.EXIT_TRACE:
            return other(code)
        cause = int(vm.control[shadow.LAST_CAUSE])
        return Stop(TRAP) if ledger.CAUSES[cause][1] == ledger.REFLECT else None

    setattr(vm, "_other_exit", other_exit)  # noqa: B010
    if bug is None:
        return
    number = np.int64(bugs.BY_NAME[bug].number)

    def enter(hart: Vcpu, end: int) -> int:
        return int(bugs.run(hart.core, hart.guest_core, hart.control, np.int64(end), number))

    for hart in vm.harts:
        hart.enter = partial(enter, hart)


def table(bare: Computer, vm: Vm, memory: bool = True) -> list[tuple[str, Any, Any]]:
    """All that differs: (name, bare, virtualised)."""
    ours, theirs = values(bare), values(vm)
    rows = [(name, value, theirs[name]) for name, value in ours.items() if value != theirs[name]]
    if memory:
        at = memory_difference(bare, vm)
        if at is not None:
            at &= ~3
            rows.append((f"word at {at:#010x}", _word(bare, at), _word(vm, at)))
        for number, (a, b) in enumerate(zip(bare.board.blocks, vm.board.blocks, strict=True)):
            one, other = disk_hash(a.disk), disk_hash(b.disk)
            if one != other:
                rows.append((f"disk {number}", one[:16], other[:16]))
    return rows


def _word(computer: Computer, pa: int) -> int:
    return int.from_bytes(computer.read_phys(pa, 4) or b"", "little")


def compare(
    make: Make,
    every: int = 100_000,
    limit: int = 100_000_000,
    bug: str | None = None,
    report: Callable[[int], None] = lambda steps: None,
) -> Comparison:
    """Run both until the guest ends, `limit` steps are made, or they differ."""
    bare, vm = make()
    prepare(vm, bug)
    follower = Follower(bare, vm)
    found = Comparison()
    equal_at = 0
    next_memory = every
    while True:
        stop, same = _advance(bare, vm, follower, max(0, min(next_memory, limit) - vm.steps))
        found.checks += 1
        found.traps += stop.reason == TRAP
        found.calls = follower.calls.made if follower.calls else None
        found.steps = max(bare.steps, vm.steps)
        ended = stop.reason not in (BUDGET, TRAP) or found.steps >= limit
        if same and (ended or found.steps >= next_memory):
            found.memory_checks += 1
            same = not table(bare, vm)
            next_memory += every
        if not same:
            found.difference = locate(make, equal_at, found.steps, bug) or Difference(
                found.steps, vm.pc, vm.mode, None, "", table(bare, vm), vm.last_exits()[-4:],
                exact=False, since=equal_at,
            )  # fmt: skip
            return found
        equal_at = found.steps
        report(equal_at)
        if ended:
            found.stop = Stop(BUDGET) if stop.reason == TRAP else stop
            return found


def _advance(bare: Computer, vm: Vm, follower: Follower, steps: int) -> tuple[Stop, bool]:
    """The VM to its next virtual trap, `steps` at most, and the bare machine to the same step."""
    stop = run(vm, steps)
    other = follower.catch_up()
    same = bare.steps == vm.steps and quickly_equal(bare, vm) and follower.agrees()
    if stop.reason not in (TRAP, BUDGET) or other.reason != BUDGET:
        same = same and stop == other
    return stop, same


def locate(make: Make, equal_at: int, differ_at: int, bug: str | None) -> Difference | None:
    """The first step after which the two differ, by bisection; None if it is not to be had.

    Every probe starts both computers afresh and runs them straight to the step in question.
    """

    def differ(step: int) -> bool:
        bare, vm, follower = _fresh(make, step, bug)
        same = quickly_equal(bare, vm) and follower.agrees()
        return not same or bool(table(bare, vm))

    low, high = equal_at, differ_at
    if not differ(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if differ(middle):
            high = middle
        else:
            low = middle
    bare, vm, follower = _fresh(make, low, bug)
    pc, mode = bare.pc, bare.mode
    data = bare.read(pc, 4)
    word = int.from_bytes(data, "little") if data else None
    text = disasm(word, pc) if word is not None else "(no instruction can be read)"
    _to(vm, high)
    follower.catch_up()
    rows = table(bare, vm)
    if not follower.agrees():
        rows.append(("interrupt flag in memory", *follower.flags()))
    return Difference(high, pc, mode, word, text, rows, vm.last_exits()[-4:])


def _fresh(make: Make, step: int, bug: str | None) -> tuple[Computer, Vm, Follower]:
    bare, vm = make()
    prepare(vm, bug)
    follower = Follower(bare, vm)
    _to(vm, step)
    follower.catch_up()
    return bare, vm, follower


def _to(computer: Computer, step: int) -> None:
    """Run a computer to a step exactly, however often it stops on the way."""
    while computer.steps < step:
        before = computer.steps, len(harts_of(computer))
        stop = run(computer, step - computer.steps)
        if stop.reason not in (BUDGET, TRAP) or (computer.steps, before[1]) == before:
            return
    if computer.waiting:
        computer.run(0)


__all__ = ["NOTE", "Comparison", "Difference", "compare", "locate", "prepare"]
