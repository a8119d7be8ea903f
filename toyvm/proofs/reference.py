"""The hypervisor's calls on a bare machine, for comparisons with a paravirtual VM.

A guest that finds the calls of docs/paravirtual.md goes other ways than one that does not, so a
machine without them cannot judge it.  Here a bare machine answers them as that page words it: an
update stores the entries and forgets all translations, yield and returns do nothing, and with the
flag the guest's SIE is a word of memory.

When the hypervisor looks at the flag is its own choice (where the guest enters and leaves the real
hart), and a guest can tell.  So each entry of the VM is logged, and the bare machine looks at its
own flag at these very steps.  Nothing else is taken over from the VM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from toyvm.firmware.sbi import ERR_INVALID_PARAM, ERR_NOT_SUPPORTED, SUCCESS, Result
from toyvm.hart import csrfile, events
from toyvm.hart import state as s
from toyvm.hypervisor import Vm, ledger, shadow, vcpu
from toyvm.hypervisor.paravirtual import EXT_PV, FEATURE_FLAG, FEATURE_RETURNS, NO_FLAG, UPDATE_MAX
from toyvm.isa import csr
from toyvm.machine import Computer, Stop
from toyvm.machine.computer import BUDGET

_SYSTEM: Final = 0x73
_WFI: Final = 0x1050_0073
NOTE: Final = (
    "the bare machine answers the hypervisor's calls as docs/paravirtual.md words them; nothing "
    "else may differ"
)


class Port(Protocol):
    """The computer that answers: a bare machine, or a model of one."""

    def read_memory(self, pa: int, n: int) -> bytes | None: ...

    def write_memory(self, pa: int, data: bytes) -> bool: ...

    def forget_translations(self) -> None:
        """As sfence.vma without operands."""

    def get_sie(self) -> int: ...

    def set_sie(self, value: int) -> None: ...

    def held_back(self) -> bool:
        """Is an interrupt for S-mode pending and enabled in sie?"""

    def finish(self) -> None:
        """One step, at whose start no interrupt is taken."""


class Calls:
    """The calls, answered one by one in the words of their page."""

    def __init__(self, port: Port, features: int) -> None:
        self._port = port
        self._features = features
        self.flag: int | None = None
        """Physical address of the guest's two words."""
        self.made = 0

    def call(self, args: Sequence[int]) -> Result:
        """As Sbi.call."""
        self.made += 1
        function = args[6]
        if function == 0:
            return SUCCESS, self._features
        if function == 1:
            return self._set_flag(args[0])
        if function == 2:
            return self._update(args[0], args[1])
        if function == 4 and self._features & FEATURE_RETURNS:
            return (ERR_INVALID_PARAM if args[0] > 1 else SUCCESS), 0
        return (SUCCESS, 0) if function == 3 else (ERR_NOT_SUPPORTED, 0)

    def _set_flag(self, pa: int) -> Result:
        if not self._features & FEATURE_FLAG:
            return ERR_NOT_SUPPORTED, 0
        if pa == NO_FLAG:
            self.flag = None
            return SUCCESS, 0
        if pa % 8 or not self._port.write_memory(pa, bytes(8)):
            return ERR_INVALID_PARAM, 0
        self.flag = pa
        return SUCCESS, 0

    def _update(self, pa: int, count: int) -> Result:
        port = self._port
        data = port.read_memory(pa, 8 * count) if count <= UPDATE_MAX else None
        if data is None:
            return ERR_INVALID_PARAM, 0
        pairs = [(data[at : at + 4], data[at + 4 : at + 8]) for at in range(0, len(data), 8)]
        entries = [(int.from_bytes(at, "little"), value) for at, value in pairs]
        if any(at % 4 or port.read_memory(at, 4) is None for at, _ in entries):
            return ERR_INVALID_PARAM, 0
        for at, value in entries:
            port.write_memory(at, value)
        port.forget_translations()
        return SUCCESS, count

    # ---- the flag ---------------------------------------------------------------------------

    def enter(self) -> None:
        """The guest enters the real hart: its words say what the register says."""
        if self.flag is not None:
            enabled = self._port.get_sie()
            waits = self._port.held_back() and not enabled
            words = enabled.to_bytes(4, "little") + int(waits).to_bytes(4, "little")
            self._port.write_memory(self.flag, words)

    def finish(self) -> None:
        """The instruction that exits is finished, whatever waits."""
        self._port.finish()

    def leave(self) -> None:
        """The guest leaves it: the register says what the first word says."""
        data = None if self.flag is None else self._port.read_memory(self.flag, 4)
        if data:
            self._port.set_sie(data[0] & 1)


class BarePort:
    """A bare machine."""

    def __init__(self, machine: Computer) -> None:
        self.machine = machine
        self.read_memory = machine.read_memory
        self.write_memory = machine.write_memory

    def forget_translations(self) -> None:
        for hart in self.machine.harts:
            hart.core.p[s.FENCE_VA] = -1
            events.apply_effects(hart.core, np.int64(s.EFFECT_FENCE))

    def get_sie(self) -> int:
        return int(self.machine.record[s.MSTATUS]) >> 1 & 1

    def set_sie(self, value: int) -> None:
        status = int(self.machine.record[s.MSTATUS])
        self.machine.record[s.MSTATUS] = status & ~csr.MSTATUS_SIE | value << 1

    def held_back(self) -> bool:
        return bool(self.machine.csr("sip") & self.machine.csr("sie"))

    def finish(self) -> None:
        machine, record = self.machine, self.machine.record
        word = int.from_bytes(machine.read(machine.pc, 4) or b"", "little")
        if word & 0x7F == _SYSTEM and (word == _WFI or word >> 20 == csr.SIE):
            # These see sie; they do not see SIE.
            enabled = self.get_sie()
            self.set_sie(0)
            machine.run(1)
            self.set_sie(enabled)
            run(machine, 0)
            return
        enabled = int(record[s.MIE])
        record[s.MIE] = 0
        machine.run(1)
        record[s.MIE] = enabled
        run(machine, 0)


@dataclass(frozen=True)
class Entry:
    """One call of compiled code of a VM with a flag."""

    start: int
    """STEPS before it."""
    leave: int
    """STEPS when the guest left the real hart, which is before the instruction that exits."""
    entered: bool
    """False: an interrupt was injected, and the guest did not run."""
    finishes: bool
    """The hypervisor finishes the instruction at hand before it asks for interrupts again."""


def log_entries(vm: Vm) -> list[Entry]:
    """A list that will hear of each entry of `vm` while it has a flag.

    The VM must return after each exit (shadow.TRACE); its runs are cut at timers as well.
    """
    log: list[Entry] = []
    # A guest with a flag has one vCPU.
    inner = vm.hart.enter

    def execute(end: int) -> int:
        start = int(vm.record[s.STEPS])
        if not vm.control[shadow.FLAG]:
            return inner(end)
        deadline = int(csrfile.deadline_step(vm.record))
        code = inner(min(end, deadline) if deadline > start else end)
        now = int(vm.record[s.STEPS])
        cause = int(vm.control[shadow.LAST_CAUSE])
        traced = code == vcpu.EXIT_TRACE
        injected = traced and cause == ledger.INTERRUPT
        stepped = code == events.EXIT_WFI or (traced and cause != ledger.FILL)
        finishes = stepped or code in (events.EXIT_MMIO, events.EXIT_SBI)
        log.append(Entry(start, max(start, now - stepped), not injected, finishes))
        return code

    vm.hart.enter = execute
    return log


def follow(calls: Calls, log: Sequence[Entry], to: Callable[[int], object]) -> None:
    """Look at the flag where the VM did; `to(step)` runs the computer that follows to a step."""
    for entry in log:
        to(entry.start)
        if entry.entered:
            calls.enter()
            to(entry.leave)
            calls.leave()
            if entry.finishes:
                calls.finish()


def run(computer: Computer, steps: int) -> Stop:
    """`run`, with the sleep that a wfi at the very end begins."""
    stop = computer.run(steps)
    if computer.waiting and stop.reason == BUDGET:
        slept = computer.run(0)
        if slept.reason != BUDGET:
            return slept
    return stop


class Follower:
    """Lets a bare machine follow a VM; without hypercalls that is just running as far."""

    def __init__(self, bare: Computer, vm: Vm) -> None:
        self._bare, self._vm = bare, vm
        self.calls: Calls | None = None
        self.log: list[Entry] = []
        if vm.paravirtual is not None:
            self.calls = Calls(BarePort(bare), vm.paravirtual.features)
            bare.sbi.extend(EXT_PV, self.calls.call)
            self.log = log_entries(vm)

    def catch_up(self) -> Stop:
        """Run the bare machine to the step at which the VM is."""
        if self.calls is not None:
            follow(self.calls, self.log, self._to)
            self.log.clear()
        return self._to(self._vm.steps)

    def flags(self) -> tuple[bool, bool]:
        """Is the guest's SIE kept in memory: bare, virtualised."""
        bare = self.calls is not None and self.calls.flag is not None
        return bare, bool(self._vm.control[shadow.FLAG])

    def agrees(self) -> bool:
        """Do both sides keep it there, or neither?"""
        bare, virtual = self.flags()
        return bare == virtual

    def _to(self, step: int) -> Stop:
        return run(self._bare, max(0, step - self._bare.steps))
