"""A VM: a computer whose hart is a vCPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from toyvm.hart import access, tlb
from toyvm.hart import state as s
from toyvm.hart.core import DEFAULT_TIER, Hart, new_record
from toyvm.hypervisor import ledger, shadow, vcpu
from toyvm.hypervisor.frames import HostMemory
from toyvm.hypervisor.ledger import Ledger
from toyvm.hypervisor.narrate import narrate
from toyvm.hypervisor.paravirtual import EXT_PV, Paravirtual
from toyvm.isa import csr
from toyvm.jit import address_in_python
from toyvm.machine.board import Console
from toyvm.machine.boot import Boot
from toyvm.machine.computer import BUDGET, ERROR, EXIT, Computer, Stop
from toyvm.machine.harts import TURN, check_harts
from toyvm.machine.inspection import UNKNOWN
from toyvm.machine.loader import Program
from toyvm.machine.machine import check_pmp
from toyvm.machine.memory import PAGE, check_ram_size
from toyvm.platform import RAM_BASE

MEGAPAGE: Final = 1024
"""Frames of a megapage, and what the first one's number must be a multiple of."""
FIRST_PAGE: Final = RAM_BASE // PAGE

TECHNIQUES: Final = {
    "u": shadow.TECHNIQUE_U,
    "upv": shadow.TECHNIQUE_U,
    "s": shadow.TECHNIQUE_S,
    "pv": shadow.TECHNIQUE_S,
}
"""The ladder's rungs: where the guest's kernel runs.  upv and pv: u and s with hypercalls."""
EXIT_YIELD: Final = 18
"""The guest has given up the rest of its slice."""
SHADOWS: Final = ("lazy", "protect")
"""How the shadow follows the guest's page tables."""
REFILL: Final = 64
"""Frames that a VM takes from the host at a time."""
LOW: Final = 16
"""Frames in the reserve below which it is refilled before a slice."""
_CRAMPED: Final = 8
"""Times that a VM may give up its shadow tables for frames without getting a step further."""


class Vcpu(Hart):
    """A hart of a VM: a real hart, which runs on shadow tables, and the guest's record."""

    def __init__(
        self,
        host: HostMemory,
        fmap: np.ndarray,
        record: np.ndarray,
        technique: str,
        shadow_mode: str,
        sibling: Hart | None = None,
    ) -> None:
        super().__init__(host.ram, host.identity, pmp=0, sibling=sibling)
        # Every trap is ours.
        self.p[s.MODE] = s.MODE_U
        self.p[s.DELIVER] = 0
        self.control = np.zeros(shadow.FIELDS, dtype=np.int64)
        self.scalars = self.control.data
        """The same for who reads single fields."""
        self.control[shadow.TECHNIQUE] = TECHNIQUES[technique]
        self.control[shadow.PROTECT] = int(shadow_mode == "protect")
        self.control[shadow.TRAPS] = vcpu.TRAPS_OF_S
        self.guest_core = access.make_core(
            x=self.x,
            p=record,
            tlb=np.full(tlb.CONTEXT, tlb.EMPTY, dtype=np.int64),
            dec=self.core.dec,
            slots=self.core.slots,
            ram=host.ram,
            fmap=fmap,
        )
        real, guest = (address_in_python(c.table) for c in (self.core, self.guest_core))
        self._watch(record, partial(vcpu.run, real, guest, self.control))
        self.told = 0
        """Exits that a tracer has heard of."""


class Vm(Computer):
    """One guest: the same face as a Machine, run deprivileged under shadow page tables.

    `host` is the memory it takes frames from; without one it gets a host of its own.  Pages of RAM
    get a frame when they are first touched; with `reserved` all do at once, in one run, so that
    the guest's megapages can be real ones.  `weight` scales its slices against those of other VMs
    (100 is normal).  `technique` "u" runs all of the guest in real U-mode, "s" virtual S in real S,
    "upv" and "pv" are these two with the calls of `paravirtual`;
    `shadow_mode` "lazy" or "protect" says how the shadow follows the guest's page tables.  `vcpus`,
    `turn`, `sstc` and `ad_fault` are as `harts` and its companions of a Machine; so is `tier`.
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
        technique: str = "u",
        shadow_mode: str = "lazy",
        reserved: bool = False,
    ) -> None:
        check_pmp(pmp)
        if technique not in TECHNIQUES:
            raise ValueError(f"technique {technique!r}: expected {' or '.join(TECHNIQUES)}")
        if shadow_mode not in SHADOWS:
            raise ValueError(f"shadow {shadow_mode!r}: expected {' or '.join(SHADOWS)}")
        check_harts(vcpus, turn)
        check_ram_size(ram)
        self.name = name
        self.weight = weight
        pages = ram // PAGE
        self.host = host or HostMemory(host_size([ram], [vcpus]))
        fmap = np.full(pages, shadow.UNTOUCHED, dtype=np.int32)
        if reserved:
            first = self.host.take_run(name, pages, MEGAPAGE if pages >= MEGAPAGE else 1)
            fmap[:] = np.arange(first, first + pages)
        self.technique = technique
        self.shadow_mode = shadow_mode
        self._cramped = (-1, 0)
        self._released = False
        own: list[Vcpu] = []
        for index in range(vcpus):
            record = new_record(index, pmp, sstc, ad_fault)
            first_one = own[0] if own else None
            own.append(Vcpu(self.host, fmap, record, technique, shadow_mode, first_one))
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

        self.paravirtual: Paravirtual | None = None
        """The hypervisor's own calls, where the guest is offered any."""
        self._may_yield = self._yielded = False
        self._exactly = False
        """True while one entry of a guest's table is written, which `sync` answers exactly."""
        if technique in ("upv", "pv"):
            self.paravirtual = Paravirtual(
                self, flag=technique == "upv" and vcpus == 1, returns=technique == "pv"
            )
            self.sbi.extend(EXT_PV, self.paravirtual.call)

    @property
    def control(self) -> np.ndarray:
        """The control array (see `shadow`) of the vCPU that runs or is looked at."""
        return self.hart.control

    def _start(self, boot: Boot) -> None:
        """As Computer's; the ledger and the shadow tables start empty."""
        super()._start(boot)
        for hart in self.harts:
            hart.control[shadow.COUNTERS : shadow.COUNTERS + ledger.COUNT] = 0
            hart.control[shadow.SAMPLES : shadow.SAMPLES + 2 * ledger.COUNT] = 0
            hart.control[shadow.SERIAL] = 0
            hart.control[shadow.FLAG] = 0
            hart.control[shadow.TRAPS] = vcpu.TRAPS_OF_S
            hart.told = 0
            self._forget_translations(hart)

    def load(self, image: Any) -> Program:
        """As Computer.load; a VM that gave its frames back takes new ones."""
        self._released = False
        return super().load(image)

    def _forget_translations(self, hart: Hart) -> None:
        assert isinstance(hart, Vcpu)
        shadow.drop_all(hart.core, hart.control)

    def _point(self, index: int) -> None:
        """As Computer._point; a tracer hears of the last vCPU's exits before the next one's."""
        if index != self._here:
            self._tell()
            if self.shadow_mode == "protect":
                # The others were free to write what only their own shadows protect.
                self._forget_translations(self.harts[index])
        super()._point(index)

    def _execute(self, end: int) -> int:
        if self._each:
            self._tell()
        if self._yielded:
            self._yielded = False
            return EXIT_YIELD
        if self.hart.scalars[shadow.FREE] < LOW:
            self._refill()
        return super()._execute(end)

    # ---- frames -----------------------------------------------------------------------------

    @property
    def touched(self) -> int:
        """Pages of the guest's RAM that have a frame."""
        return int(np.count_nonzero(self.memory.fmap >= 0))

    def _refill(self) -> str:
        """Take frames from the host into the reserve; why there are none, or nothing."""
        c = self.control
        if self._released:
            return f"{self.name} has given its frames back"
        try:
            frames = self.host.take(self.name, REFILL)
        except MemoryError as error:
            return str(error)
        free = int(c[shadow.FREE])
        # Frame 0 is left alone: its first word would look like no flag (see paravirtual).
        frames = [frame for frame in frames if frame]
        # The lowest first: what is touched in a row then lies in a row.
        c[shadow.STACK + free : shadow.STACK + free + len(frames)] = sorted(frames, reverse=True)
        c[shadow.FREE] = free + len(frames)
        return ""

    def stock(self, frames: int) -> None:
        """Fill the reserve up to `frames` at least, for who runs compiled code without us."""
        while self.control[shadow.FREE] < frames and not self._refill():
            pass

    def _no_frame(self) -> bool:
        """The reserve is empty: fill it, at worst with our own tables; False ends the VM."""
        why = self._refill()
        if not why:
            return True
        if self._released:
            return False
        before, times = self._cramped
        times = times + 1 if before == self.steps else 0
        self._cramped = (self.steps, times)
        # Shadow tables are a cache, so their frames can serve as RAM.
        for hart in self.harts:
            self._forget_translations(hart)
        if self.control[shadow.FREE] and times < _CRAMPED:
            return True
        self._stop = Stop(ERROR, 1, why)
        return False

    _on_demand = True

    def _claim(self, page: int) -> int:
        c = self.control
        if not c[shadow.FREE] and not self._no_frame():
            return -1
        c[shadow.FREE] -= 1
        frame = int(c[shadow.STACK + c[shadow.FREE]])
        self.host.ram[frame * PAGE : (frame + 1) * PAGE] = 0
        self.memory.fmap[page] = frame
        return frame

    def _ram_written(self, offset: int, length: int) -> None:
        super()._ram_written(offset, length)
        if self.shadow_mode != "protect" or self._exactly:
            return
        for hart in self.harts:
            c = hart.control
            pages = c[shadow.NODE_GUEST : shadow.NODE_GUEST + c[shadow.NODES]] - FIRST_PAGE
            pages = pages[(pages >= 0) & (pages < len(self.memory.fmap))]
            frames = self.memory.fmap[pages]
            if ((frames >= offset // PAGE) & (frames <= (offset + length - 1) // PAGE)).any():
                # A device or a debugger has written a protected table.
                self._forget_translations(hart)

    def release(self) -> None:
        """Give all frames back to the host; the VM cannot run, and nothing can be written to it.

        `load` brings it back to life.
        """
        self._released = True
        for hart in self.harts:
            self._forget_translations(hart)
            hart.flush()
            hart.control[shadow.FREE] = 0
        self.memory.fmap[:] = shadow.UNTOUCHED
        self.host.give(self.name, self.host.frames_of(self.name))
        self._stop = self._stop or Stop(EXIT, 0, "released")

    def _deliver(self, cause: int, tval: int) -> None:
        """The bus has no device there: what was booked as mmio was an access fault."""
        c = self.control
        c[shadow.COUNTERS + ledger.MMIO] -= 1
        c[shadow.COUNTERS + ledger.ACCESS_FAULT] += 1
        c[shadow.LAST_CAUSE] = ledger.ACCESS_FAULT
        last = (int(c[shadow.SERIAL]) - 1) % shadow.RING_LENGTH
        c[shadow.RING + shadow.RING_FIELDS * last] = ledger.ACCESS_FAULT
        super()._deliver(cause, tval)

    def _other_exit(self, code: int) -> Stop | None:
        if code == vcpu.EXIT_TRACE:
            return None
        if code == EXIT_YIELD:
            return Stop(BUDGET)
        if code == vcpu.EXIT_FRAMES:
            return None if self._no_frame() else self._stop
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
        self._each = report is not None
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
        at = shadow.RING + shadow.RING_FIELDS * (serial % shadow.RING_LENGTH)
        fields = [int(v) for v in self.control[at : at + shadow.RING_FIELDS]]
        return narrate(fields, self._symbol)

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
    def awake(self) -> bool:
        """False while it only waits for a timer or somebody else."""
        if self._wakes != UNKNOWN:
            return self._wakes <= self.clock
        return not self.waiting or bool(self.hart_pending())

    def doze(self, steps: int) -> bool:
        """Move the clock of a guest that sleeps on beyond them by `steps`; False if it may not.

        That is what `run_slice` would do, for those whom nobody but a timer can wake.
        """
        if self._wakes == UNKNOWN or self._wakes <= self.clock + steps:
            return False
        self.hart.fields[s.IDLE] += steps
        return True

    def run_slice(self, steps: int) -> Stop:
        """Move the clock by at most `steps`, running or asleep."""
        self._may_yield = True
        try:
            return self.run(steps, idle=steps)
        finally:
            self._may_yield = self._yielded = False

    # ---- what hypercalls ask of us (paravirtual.Guest) ------------------------------------------

    def store_entries(self, pa: int, data: bytes) -> bool:
        """Write words of the guest's page tables and forget what was made from them."""
        self._exactly = True
        done = self.memory.write(pa, data)
        self._exactly = False
        places = np.arange(pa, pa + len(data), 4, dtype=np.int64)
        for hart in self.harts:
            shadow.sync_all(hart.core, hart.control, places)
        return done

    def free_returns(self, free: bool) -> None:
        """May the guest's sret go without us?"""
        for hart in self.harts:
            hart.control[shadow.TRAPS] = vcpu.TRAPS_OF_S & ~(csr.MSTATUS_TSR if free else 0)

    def yield_turn(self) -> None:
        """End the slice, if there are slices."""
        self._yielded = self._may_yield

    def sleep_distance(self) -> int | None:
        """As Computer's; known already while it dozes."""
        if self._wakes > self.clock:
            return None if self._wakes == s.NEVER else self._wakes - self.clock
        return super().sleep_distance()

    def sleep(self, steps: int) -> None:
        """Let an idle guest's clock jump; it must not pass the guest's next timer."""
        self.hart.fields[s.IDLE] += steps

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
    """Bytes of host memory that suffice whatever VMs with these RAM sizes touch.

    That is their RAM, their tables, canaries and reserves.  `vcpus` says how many each has; one if
    it is left out.
    """
    counts = vcpus or [1] * len(rams)
    frames = 0
    for ram, count in zip(rams, counts, strict=True):
        pages = ram // PAGE + count * (shadow.RESERVE + REFILL)
        frames += pages + pages // REFILL + 2
    return frames * PAGE
