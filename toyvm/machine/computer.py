"""What the physical machine and a VM have in common: harts, a board, and the loop that serves
the exits of compiled code.

A subclass says what a hart is: the machine's own, or a vCPU.
Everything a guest can see goes through here, so a guest sees the same computer in both.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from toyvm.firmware.sbi import Sbi
from toyvm.hart import core as hart_core
from toyvm.hart import decode, events, trap
from toyvm.hart import state as s
from toyvm.hart.core import Hart
from toyvm.isa.causes import CAUSE_LOAD_ACCESS_FAULT, CAUSE_STORE_ACCESS_FAULT, cause_title
from toyvm.machine.board import Board, Console
from toyvm.machine.boot import Boot, BootOptions, plan
from toyvm.machine.harts import TURN, Harts, signed64
from toyvm.machine.htif import Htif
from toyvm.machine.inspection import UNKNOWN
from toyvm.machine.loader import LoadError, Program
from toyvm.machine.memory import GuestRam

#: Reasons of a Stop.
BUDGET, EXIT, BREAKPOINT, WATCHPOINT, IDLE, ERROR = (
    "budget",
    "exit",
    "breakpoint",
    "watchpoint",
    "idle",
    "error",
)
CHUNK: Final = 20_000_000
"""Steps after which compiled code returns, so that Ctrl-C is heard: some 50 ms."""
STALLS: Final = 1_000
"""Returns of compiled code without a step that end a guest."""
TRAP_LOOP: Final = 10_000
"""Traps in a row, without a retired instruction, that end a machine."""


@dataclass(frozen=True)
class Stop:
    """Why a run ended: `reason` is one of the names above, `code` a guest's exit code."""

    reason: str
    code: int = 0
    detail: str = ""


_ASLEEP: Final = Stop(IDLE)
_SPENT: Final = Stop(BUDGET)


class Computer(Harts):
    """One RV32IMA computer; use Machine (bare) or hypervisor.Vm (virtualised).

    `ram` is uint8 of the whole host machine, `fmap` int32[pages]: which of its pages are ours.
    `turn` is the steps after which the next hart runs.
    """

    def __init__(
        self,
        ram: np.ndarray,
        fmap: np.ndarray,
        harts: list[Hart],
        bios: str | Path | Any = "sbi",
        drives: Sequence[Any] = (),
        nets: Sequence[Any] = (),
        virtio: str = "legacy",
        console: Console | None = None,
        append: str = "",
        first_mac: int = 0,
        devices: Sequence[Any] = (),
        initrd: Any = None,
        dtb: Any = None,
        turn: int = TURN,
    ) -> None:
        self._seat(harts, turn)
        claim = self._claim if self._on_demand else None
        self.memory = GuestRam(ram, fmap, self._ram_written, claim)
        self.bios = bios
        self.boot_options = BootOptions(bios, append, initrd, dtb)
        self._boot: Boot | None = None
        self.console = console or Console()
        self.board = Board(
            self, self.memory, self.console, drives, nets, virtio, first_mac, devices, len(harts)
        )
        self.sbi = Sbi(self)
        self.program: Program | None = None
        self.warnings: list[str] = []
        self.errors = 0
        """Python exceptions that device or backend code let through (each one a bug)."""
        self.report = ""
        """Why a guest died, with the traceback if the fault was ours."""
        self._stop: Stop | None = None
        self._trapping = 0
        self._breakpoints: set[int] = set()
        self._watchpoints: list[tuple[int, int, int]] = []
        self._htif = Htif(self)
        self.board.reset()

    # ---- subclass ---------------------------------------------------------------------------

    _each = False
    """True while somebody wants to hear of every exit."""

    def _tell(self) -> None:
        """Report the exits since the last time."""

    _on_demand = False
    """True where RAM gets its pages of `ram` when it is touched."""

    def _claim(self, page: int) -> int:
        """A page of `ram` for a page of RAM that a device or the loader is first to write."""
        return -1

    def _ram_written(self, offset: int, length: int) -> None:
        """A device or a debugger has written these bytes of `ram`."""
        core = self.hart.core
        decode.invalidate(core.dec, core.slots, np.int64(offset), np.int64(length))
        for hart in self.harts:
            hart.release(offset, length)

    # ---- loading ----------------------------------------------------------------------------

    def load(self, image: Any) -> Program:
        """Load an image (path, bytes, assembler Image or Program) and reset the hart.

        LoadError if it is broken or does not fit; then nothing has changed.
        """
        boot = plan(
            image,
            self.boot_options,
            self.memory.size,
            len(self.harts),
            bool(self.record[s.SSTC]),
        )
        self._start(boot)
        return boot.program

    def restart(self) -> None:
        """Power off and on: RAM keeps what nobody loads, everything else starts again."""
        if self._boot is None:
            raise ValueError("nothing is loaded: load an image before restarting")
        self._start(self._boot)

    def _start(self, boot: Boot) -> None:
        for address, data in boot.parts:
            self._place(boot.program.name, address, data)
        self._boot = boot
        self.program = boot.program
        self._reset(boot)
        self._htif.watch(boot.program.symbols)
        self._set_watchpoints()

    def _place(self, name: str, address: int, data: bytes) -> None:
        """Write a part of an image that fits; LoadError if the host has no memory for it."""
        if not self.memory.write(address, data):
            why = self._stop.detail if self._stop else "no memory"
            raise LoadError(f"{name}: cannot be loaded at {address:#x}: {why}")

    def _reset(self, boot: Boot) -> None:
        """Power-on registers as QEMU leaves them: hart id in a0, device tree in a1."""
        for hart in self.harts:
            # First, while the record of a bare hart still knows what its caches hold.
            hart.adopt(self.hart)
            hart.flush()
        for index, hart in enumerate(self.harts):
            self._reset_hart(hart, index)
        self._seat(self.harts, self.turn)
        self._begin_turn(0)
        self._set_breakpoints(sorted(self._breakpoints))
        self.board.reset()
        self._stop = None
        self._trapping = 0
        self.warnings = list(boot.warnings)
        if self.bios == "sbi":
            hart_core.prepare_for_sbi(self.record, boot.start)
            for hart in self.harts[1:]:
                # They wait for the first one to start them (SBI 1.0, chapter 9).
                hart.state = hart_core.STOPPED
                hart.waiting = True
        for index, hart in enumerate(self.harts):
            hart.x[10] = index
            hart.x[11] = boot.tree
            hart.x[12] = boot.dynamic

    def _reset_hart(self, hart: Hart, index: int) -> None:
        """Power-on state of one hart, its configuration kept."""
        old = hart.record
        fresh = hart_core.new_record(
            index, int(old[s.PMP_COUNT]), bool(old[s.SSTC]), bool(old[s.AD_FAULT])
        )
        fresh[s.DELIVER] = old[s.DELIVER]
        # A bare hart's record still counts how often decoded words were forgotten.
        fresh[s.FORGETS] = old[s.FORGETS]
        old[:] = fresh
        hart.x[:] = 0
        hart.p[s.RESERVATION] = -1
        hart.state = hart_core.STARTED
        hart.waiting = False

    # ---- running ----------------------------------------------------------------------------

    def run(self, max_steps: int, idle: int | None = None) -> Stop:
        """Run at most `max_steps` steps; exact.  `idle` bounds the steps that wfi may sleep.

        Never raises for anything a guest does: device and backend exceptions end the machine
        with reason "error" and a traceback in `report`.
        """
        if self._stop is not None:
            return self._stop
        before = self._progress()
        try:
            stop = self._run(max_steps, idle)
            self._notice_trap_loop(*before)
            return self._stop or stop
        except Exception as error:
            return self.failed(error)
        finally:
            if self._each:
                self._tell()

    def failed(self, error: Exception) -> Stop:
        """Device or backend code has raised `error`: end this machine and keep the traceback."""
        self.errors += 1
        self.report = "".join(traceback.format_exception(error))
        self._stop = Stop(ERROR, 4, f"{type(error).__name__} in a device: {error}")
        return self._stop

    def _progress(self) -> tuple[int, int]:
        """Steps made and traps delivered, by all harts."""
        steps = traps = 0
        for hart in self.harts:
            fields = hart.fields
            steps += fields[s.STEPS]
            traps += fields[s.NOT_RETIRED]
        return steps, traps

    def _notice_trap_loop(self, steps: int, traps: int) -> None:
        """End a machine that has done nothing but trap for TRAP_LOOP steps, in however many runs.

        `steps` and `traps` are those before the last run.
        """
        steps_now, traps_now = self._progress()
        taken = traps_now - traps
        if taken != steps_now - steps:
            self._trapping = 0
            return
        self._trapping += taken
        taken = self._trapping
        if taken < TRAP_LOOP or self._stop is not None:
            return
        supervisor = int(self.record[s.MODE]) == s.MODE_S
        cause = int(self.record[s.SCAUSE if supervisor else s.MCAUSE])
        value = int(self.record[s.STVAL if supervisor else s.MTVAL])
        vector = "stvec" if supervisor else "mtvec"
        self._stop = Stop(
            ERROR,
            1,
            f"trap loop: {taken} traps in a row and no instruction retired; the handler at "
            f"{self.pc:#010x} traps itself ({cause_title(cause)}, tval {value:#010x}): set "
            f"{vector} to a mapped, executable handler",
        )

    def _run(self, max_steps: int, idle: int | None) -> Stop:
        if self._turn != self._here:
            self._point(self._turn)
        self._wakes = UNKNOWN
        fields = self.hart.fields
        board = self.board
        # In steps of the hart that runs: a change of turns translates it.
        end = fields[s.STEPS] + max_steps
        board.poll()
        self._htif.poll()
        stalled = 0
        while self._stop is None:
            due = None
            if board.rtc.armed:
                due = board.deadline()
                if due is not None and due <= self.mtime():
                    board.rtc.poll()
                    due = None
            before = fields[s.STEPS]
            if self.hart.waiting or before >= self._turn_end:
                if self.hart.waiting:
                    board.work()
                following = self._following()
                if following < 0:
                    if self._htif.due is not None:
                        self._htif.settle()
                        continue
                    slept = self._sleep(idle)
                    if slept < 0:
                        return _ASLEEP
                    if idle is not None:
                        # A bounded sleep is part of the slice: what sleeps does not run.
                        idle -= slept
                        end -= slept
                        if idle == 0 and self._wakes > self.clock:
                            return _ASLEEP
                    continue
                end += self._begin_turn(following)
                fields = self.hart.fields
                before = fields[s.STEPS]
            limit = min(end, self._turn_end, before + CHUNK)
            if due is not None:
                limit = min(limit, before + max(1, self._steps_to(due, self.mtime())))
            late = self._htif.due
            if late is not None:
                if self.clock >= late:
                    self._htif.settle()
                    continue
                limit = min(limit, before + late - self.clock)
            code = self._execute(limit)
            if code == events.EXIT_BREAK:
                if self.pc in self._breakpoints:
                    return Stop(BREAKPOINT, detail=f"{self.pc:#010x}")
                code = self._step_over(end)
            if code == events.EXIT_BUDGET:
                if fields[s.STEPS] == before:
                    stalled += 1
                    if stalled > STALLS:
                        return self._no_progress()
                if fields[s.STEPS] >= end:
                    return _SPENT
                continue
            stalled = 0
            if code == events.EXIT_SBI:
                self._sbi_call()
            elif code == events.EXIT_WFI:
                self.hart.waiting = True
            elif code == events.EXIT_WATCH:
                stop = self._watch_hit()
                if stop:
                    return stop
            elif code != events.EXIT_MMIO:
                stop = self._other_exit(code)
                if stop:
                    return stop
            if fields[s.STEPS] >= end and self._stop is None:
                return _SPENT
        return self._stop

    def _execute(self, end: int) -> int:
        """Run until STEPS == end or an exit; an `events.EXIT_` code.

        A device access is done here, and the guest goes on at once as long as nothing has changed
        that the caller must look at.
        """
        hart = self.hart
        enter, fields = hart.enter, hart.fields
        end = hart.limit(fields[s.STEPS], end)
        code = enter(end)
        while code == events.EXIT_MMIO and self._mmio() and fields[s.STEPS] < end:
            code = enter(end)
        hart.sample()
        return code

    def _no_progress(self) -> Stop:
        """End a guest whose exits no longer let it take a single step."""
        self._stop = Stop(ERROR, 1, f"no progress at {self.pc:#010x}: exits without a step")
        return self._stop

    def _other_exit(self, code: int) -> Stop | None:
        """An exit that only a subclass knows."""
        raise AssertionError(f"exit {code}")

    def _sleep(self, idle: int | None) -> int:
        """Let wfi sleep until the next timer, at most `idle` steps; steps slept, -1 if for ever.

        Where nothing but a timer can wake it before somebody calls us, `_wakes` says when.
        """
        timer = self.sleep_distance()
        if timer is None and not idle:
            return -1
        distance = idle if timer is None else timer
        assert distance is not None
        if idle is not None:
            distance = min(distance, idle)
        if distance <= 0:
            return -1
        if len(self.harts) == 1 and self.board.quiet and not self._htif.busy:
            self._wakes = s.NEVER if timer is None else self.clock + timer
        self.hart.fields[s.IDLE] += distance
        return distance

    def _mmio(self) -> bool:
        """Perform the access that compiled code left to the bus, and finish the instruction.

        False if somebody must look before the guest goes on: it has ended, it traps, a device has
        a deadline, or each exit is told.
        """
        fields = self.hart.fields
        pa = fields[s.MMIO_PA]
        width = fields[s.MMIO_WIDTH]
        board = self.board
        if fields[s.MMIO_WRITE]:
            if not board.bus.write(pa, width, fields[s.MMIO_VALUE]):
                self._deliver(CAUSE_STORE_ACCESS_FAULT, fields[s.TVAL])
                return False
        else:
            value = board.bus.read(pa, width)
            if value is None:
                self._deliver(CAUSE_LOAD_ACCESS_FAULT, fields[s.TVAL])
                return False
            if fields[s.MMIO_VALUE]:
                top = 1 << (8 * width - 1)
                value = (value ^ top) - top
            self.hart.registers[fields[s.MMIO_RD]] = value & s.MASK32
        fields[s.PC] = (fields[s.PC] + 4) & s.MASK32
        fields[s.STEPS] += 1
        return self._stop is None and not board.rtc.armed and not self._each

    def _deliver(self, cause: int, tval: int) -> None:
        trap.take_trap(self.record, np.int64(cause), np.int64(tval))
        self.hart.p[s.RESERVATION] = -1

    def _sbi_call(self) -> None:
        """Answer an ecall of S-mode; it counts as one step, and as not retired."""
        record = self.record
        error, value = self.sbi.call([int(v) for v in self.x[10:18]])
        self.x[10] = error & s.MASK32
        if value is not None:
            self.x[11] = value & s.MASK32
        record[s.PC] = (int(record[s.PC]) + 4) & s.MASK32
        record[s.STEPS] += 1
        record[s.NOT_RETIRED] += 1
        record[s.RESERVATION] = -1
        self.hart.p[s.RESERVATION] = -1
        if self._resume:
            self._enter_supervisor(self.hart, *self._resume)
            self._resume = None

    # ---- what devices and firmware ask of us (HartPort, SbiPort) ------------------------------

    def exited(self, kind: str, code: int) -> None:
        """The guest wrote the test finisher."""
        if kind == "fail" and code == 0:
            code = 1
        self._stop = Stop(EXIT, code, "reset" if kind == "reset" else "finisher")

    def console_put(self, data: bytes) -> None:
        self.console.write(data)

    def console_get(self) -> int:
        return self.console.get()

    def set_timer(self, ticks: int) -> None:
        self._wakes = UNKNOWN
        self.record[s.STIMECMP] = signed64(ticks)

    def shutdown(self, reason: str, code: int) -> None:
        self._stop = Stop(EXIT, code, reason)

    def read_memory(self, pa: int, n: int) -> bytes | None:
        return self.memory.read(pa, n)

    def read_virtual(self, va: int, n: int) -> bytes | None:
        return self.read(va, n)

    def write_memory(self, pa: int, data: bytes) -> bool:
        return self.memory.write(pa, data)

    # ---- debugging face -----------------------------------------------------------------------

    def step(self, n: int = 1) -> Stop:
        """Run exactly `n` steps, breakpoints notwithstanding."""
        with_breaks = self._breakpoints
        if with_breaks:
            self._set_breakpoints([])
        try:
            return self.run(n)
        finally:
            if with_breaks:
                self._set_breakpoints(sorted(with_breaks))

    def _set_breakpoints(self, addresses: list[int]) -> None:
        """In all harts: they share decoded words, and so the stops in them."""
        self.hart.set_breakpoints(addresses)
        for hart in self.harts:
            if hart is not self.hart:
                hart.adopt(self.hart)
                hart.set_breakpoints(addresses)

    def _step_over(self, end: int) -> int:
        """Pass a stop word that belongs to another address; an EXIT_ code of the one step."""
        self._set_breakpoints([])
        code = self._execute(min(end, int(self.record[s.STEPS]) + 1))
        self._set_breakpoints(sorted(self._breakpoints))
        return code

    def resume(self, max_steps: int) -> Stop:
        """Like `run`, but a breakpoint at the current pc does not stop at once."""
        self._point(self._turn)
        if self._stop is None and not self.hart.waiting and self.pc in self._breakpoints:
            stop = self.step(1)
            if stop.reason != BUDGET:
                return stop
            max_steps -= 1
        return self.run(max_steps)

    @property
    def breakpoints(self) -> frozenset[int]:
        """Virtual addresses at which `run` stops."""
        return frozenset(self._breakpoints)

    def add_breakpoint(self, va: int) -> None:
        """Stop before the instruction at `va`; ValueError beyond 32 breakpoints."""
        self._set_breakpoints(sorted(self._breakpoints | {va}))
        self._breakpoints.add(va)

    def remove_breakpoint(self, va: int) -> None:
        """Forget a breakpoint; nothing happens if there is none."""
        self._breakpoints.discard(va)
        self._set_breakpoints(sorted(self._breakpoints))

    def set_watchpoints(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Stop after accesses to (va, length, kinds: 1 load, 2 store, 3 both)."""
        self._watchpoints = list(ranges)
        self._set_watchpoints()

    def _set_watchpoints(self) -> None:
        ranges = list(self._watchpoints)
        ranges += self._htif.ranges()
        self.hart.set_watchpoints(ranges)
        for hart in self.harts:
            if hart is not self.hart:
                hart.adopt(self.hart)
                hart.set_watchpoints(ranges)

    def _watch_hit(self) -> Stop | None:
        va = int(self.hart.p[s.WATCH_HIT])
        if self._htif.hit(va) and not any(at <= va < at + n for at, n, _ in self._watchpoints):
            return self._stop
        return Stop(WATCHPOINT, detail=f"{va:#010x}")

    @property
    def console_output(self) -> bytes:
        """What the guest wrote (the last 4 MiB)."""
        return self.console.output

    def feed(self, data: bytes) -> None:
        """Console input: to the UART and to the SBI console."""
        self.console.feed(data)
        self.board.uart.feed(data)

    @property
    def stopped(self) -> Stop | None:
        """The Stop that ended the machine for good, None while it can run."""
        return self._stop
