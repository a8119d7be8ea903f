"""A VM: a computer whose hart is a vCPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from toyvm.hart import access, tlb
from toyvm.hart import state as s
from toyvm.hart.core import DEFAULT_TIER, Hart, new_record
from toyvm.hypervisor import ledger, shadow, vcpu
from toyvm.hypervisor.frames import HostMemory
from toyvm.hypervisor.ledger import Ledger
from toyvm.isa.disasm import disasm
from toyvm.machine.board import Console
from toyvm.machine.boot import Boot
from toyvm.machine.computer import ERROR, Computer, Stop
from toyvm.machine.harts import TURN, check_harts
from toyvm.machine.inspection import MODES
from toyvm.machine.machine import check_pmp
from toyvm.machine.memory import PAGE, check_ram_size


class Vcpu(Hart):
    """A hart of a VM: a real hart, always in U-mode on shadow tables, and the guest's record.

    `reserve` is the first of the frames for its shadow tables.
    """

    def __init__(
        self,
        host: HostMemory,
        fmap: np.ndarray,
        record: np.ndarray,
        reserve: int,
        sibling: Hart | None = None,
    ) -> None:
        own_map = np.arange(len(host.ram) // PAGE, dtype=np.int32)
        super().__init__(host.ram, own_map, pmp=0, sibling=sibling)
        # Every trap is ours.
        self.p[s.MODE] = s.MODE_U
        self.p[s.DELIVER] = 0
        self.record = record
        self.control = np.zeros(shadow.FIELDS, dtype=np.int64)
        self.control[shadow.FIRST] = reserve
        self.control[shadow.FRAMES] = shadow.RESERVE
        self.control[shadow.FREE] = shadow.RESERVE
        self.control[shadow.STACK : shadow.STACK + shadow.RESERVE] = np.arange(
            reserve + shadow.RESERVE - 1, reserve - 1, -1
        )
        self.guest_core = access.Core(
            x=self.x,
            p=record,
            tlb=np.full(tlb.CONTEXT, tlb.EMPTY, dtype=np.int64),
            dec=self.core.dec,
            slots=self.core.slots,
            ram=host.ram,
            fmap=fmap,
        )
        self.told = 0
        """Exits that a tracer has heard of."""


class Vm(Computer):
    """One guest: the same face as a Machine, run deprivileged under shadow page tables.

    `host` is the memory it takes frames from; without one it gets a host of its own.  `weight`
    scales its slices against those of other VMs (100 is normal).  `vcpus`, `turn`, `sstc` and
    `ad_fault` are as `harts` and its companions of a Machine; so is `tier`.
    """

    hart: Vcpu
    harts: list[Vcpu]  # type: ignore[assignment]

    def __init__(
        self,
        name: str = "vm",
        ram: int = 128 << 20,
        bios: str | Path | Any = "sbi",
        drives: Sequence[Any] = (),
        nets: Sequence[Any] = (),
        virtio: str = "legacy",
        console: Console | None = None,
        append: str = "",
        pmp: int = 16,
        host: HostMemory | None = None,
        weight: int = 100,
        first_mac: int = 0,
        devices: Sequence[Any] = (),
        initrd: Any = None,
        dtb: Any = None,
        vcpus: int = 1,
        turn: int = TURN,
        sstc: bool = False,
        ad_fault: bool = False,
        tier: int = DEFAULT_TIER,
    ) -> None:
        check_pmp(pmp)
        check_harts(vcpus, turn)
        check_ram_size(ram)
        self.name = name
        self.weight = weight
        pages = ram // PAGE
        self.host = host or HostMemory(host_size([ram], [vcpus]))
        first = self.host.take(name, pages)
        fmap = np.arange(first, first + pages, dtype=np.int32)
        own: list[Vcpu] = []
        for index in range(vcpus):
            reserve = self.host.take(f"{name} shadow tables", shadow.RESERVE)
            record = new_record(index, pmp, sstc, ad_fault)
            own.append(Vcpu(self.host, fmap, record, reserve, own[0] if own else None))
            if index == 0:
                own[0].set_tier(tier)
        self.ledger = Ledger(*(vcpu.control for vcpu in own))
        self._trace: Callable[[str], None] | None = None
        super().__init__(
            self.host.ram,
            fmap,
            cast("list[Hart]", own),
            bios,
            drives,
            nets,
            virtio,
            console,
            append,
            first_mac,
            devices,
            initrd,
            dtb,
            turn,
        )

    @property
    def control(self) -> np.ndarray:
        """The control array (see `shadow`) of the vCPU that runs or is looked at."""
        return self.hart.control

    def _start(self, boot: Boot) -> None:
        """As Computer's; the ledger and the shadow tables start empty."""
        super()._start(boot)
        for hart in self.harts:
            hart.control[shadow.COUNTERS : shadow.COUNTERS + ledger.COUNT] = 0
            hart.control[shadow.SERIAL] = 0
            hart.told = 0
            self._forget_translations(hart)

    def _forget_translations(self, hart: Hart) -> None:
        assert isinstance(hart, Vcpu)
        shadow.drop_all(hart.core, hart.control)

    def _point(self, index: int) -> None:
        """As Computer._point; a tracer hears of the last vCPU's exits before the next one's."""
        if index != self._here:
            self._tell()
        super()._point(index)

    def run(self, max_steps: int, idle: int | None = None) -> Stop:
        """As Computer.run; tells a tracer about the last exit as well."""
        try:
            return super().run(max_steps, idle)
        finally:
            self._tell()

    def _execute(self, end: int) -> int:
        self._tell()
        hart = self.hart
        end = hart.limit(int(self.record[s.STEPS]), end)
        code = int(vcpu.run(hart.core, hart.guest_core, hart.control, np.int64(end)))
        hart.sample()
        return code

    def _deliver(self, cause: int, tval: int) -> None:
        """The bus has no device there: what was booked as mmio was an access fault."""
        c = self.control
        c[shadow.COUNTERS + ledger.MMIO] -= 1
        c[shadow.COUNTERS + ledger.ACCESS_FAULT] += 1
        c[shadow.LAST_CAUSE] = ledger.ACCESS_FAULT
        last = (int(c[shadow.SERIAL]) - 1) % shadow.RING_LENGTH
        c[shadow.RING + 4 * last] = ledger.ACCESS_FAULT
        super()._deliver(cause, tval)

    def _other_exit(self, code: int) -> Stop | None:
        if code == vcpu.EXIT_TRACE:
            return None
        return super()._other_exit(code)

    def _effects(self, effects: int) -> None:
        if effects & (s.EFFECT_PMP | s.EFFECT_TRANSLATION):
            self._forget_translations(self.hart)

    def _set_watchpoints(self) -> None:
        """In both records: some accesses are done on the guest's (see mmio)."""
        super()._set_watchpoints()
        for hart in self.harts:
            hart.record[s.WATCHES] = hart.p[s.WATCHES]
            hart.record[s.WATCH : s.FIELDS] = hart.p[s.WATCH : s.FIELDS]

    # ---- exits ------------------------------------------------------------------------------

    def trace_exits(self, report: Callable[[str], None] | None) -> None:
        """Call `report(sentence)` after every exit; None stops tracing."""
        self._trace = report
        for hart in self.harts:
            hart.told = int(hart.control[shadow.SERIAL])
            hart.control[shadow.TRACE] = int(report is not None)

    def _tell(self) -> None:
        """Report the exits since the last time: none of them can be rebooked any more."""
        end = int(self.control[shadow.SERIAL])
        if self._trace:
            for serial in range(self.hart.told, end):
                self._trace(self.describe_exit(serial))
        self.hart.told = end

    def describe_exit(self, serial: int) -> str:
        """The exit with this number, one of the last 16, as a sentence."""
        at = shadow.RING + 4 * (serial % shadow.RING_LENGTH)
        cause, where, word, steps = (int(v) for v in self.control[at : at + 4])
        name, outcome, meaning = ledger.CAUSES[cause]
        pc = where & s.MASK32
        mode = MODES.get(where >> 32, "?")
        done = {"emulate": "emulated", "fill": "filled", "reflect": "reflected"}[outcome]
        if cause == ledger.INTERRUPT:
            what = f"guest interrupted in virtual {mode}-mode"
        elif word or cause == ledger.ILLEGAL:
            what = f"guest executed `{disasm(word, pc)}` in virtual {mode}-mode"
        else:
            what = f"guest jumped to {pc:#010x} in virtual {mode}-mode"
        return f"step {steps}: pc {pc:#010x}{self._symbol(pc)}: {what}: {done}, {name} ({meaning})"

    def _symbol(self, address: int) -> str:
        """` <name+0x8>` for an address in the loaded program, else nothing."""
        program = self.program
        if program is None:
            return ""
        # Constants (.equ) are symbols as well: only those inside the image are labels.
        spans = [(at, at + max(size, len(data))) for at, data, size in program.segments]
        below = [
            (value, name)
            for name, value in program.symbols.items()
            if value <= address and any(first <= value < end for first, end in spans)
        ]
        if not below:
            return ""
        value, name = max(below)
        if address - value >= 1 << 16:
            return ""
        return f" <{name}+{address - value:#x}>" if address > value else f" <{name}>"

    def last_exits(self) -> list[str]:
        """Up to 16 sentences, oldest first."""
        end = int(self.control[shadow.SERIAL])
        return [self.describe_exit(i) for i in range(max(0, end - shadow.RING_LENGTH), end)]

    # ---- scheduling ----------------------------------------------------------------------------

    @property
    def clock(self) -> int:
        """Guest time in steps: what ran and what slept."""
        return int(self.record[s.STEPS] + self.record[s.IDLE])

    def run_slice(self, steps: int) -> Stop:
        """Move the clock by at most `steps`, running or asleep."""
        return self.run(steps, idle=steps)

    def sleep(self, steps: int) -> None:
        """Let an idle guest's clock jump; it must not pass the guest's next timer."""
        self.record[s.IDLE] += steps

    def death(self) -> str:
        """For a VM that ended with an error: reason, pc, symbol and last exits."""
        stop = self.stopped
        if stop is None or stop.reason != ERROR:
            return ""
        lines = [
            f"{self.name}: stopped: {stop.detail}",
            f"  pc {self.pc:#010x}{self._symbol(self.pc)}, virtual {self.mode}-mode, "
            f"step {self.steps}",
        ]
        lines += [f"  {sentence}" for sentence in self.last_exits()[-4:]]
        return "\n".join(lines)


def host_size(rams: Sequence[int], vcpus: Sequence[int] = ()) -> int:
    """Bytes of host memory that VMs with these RAM sizes need, tables and canaries included.

    `vcpus` says how many each has; one if it is left out.
    """
    counts = vcpus or [1] * len(rams)
    return sum(
        ram + (1 + count * (shadow.RESERVE + 1)) * PAGE
        for ram, count in zip(rams, counts, strict=True)
    )
