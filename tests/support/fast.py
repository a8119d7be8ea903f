"""Lock step at a few microseconds a step: machines that are used again, records compared whole.

``Runner`` holds a bare machine (and a VM, if asked) of one kind with 96 KiB of RAM.  For
every program it puts both into the program's state and compares, after each step or run: registers,
pc, mode, every field that a CSR is made of, counters, clock, deadlines, the reservation, PMP, and
every byte of RAM (``memcmp``).  That the CSR instructions show these fields rightly is compared by
the programs themselves, which read CSRs into registers, and by ``state()`` at the end of some.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from tests.naive import NaiveHart
from tests.support.clint import CLINT_BASE, NaiveClint
from tests.support.compare import LastStep, describe, last_step, memcmp, table, tell
from tests.support.machine_adapter import MachineAdapter
from tests.support.naive_csrs import MASK64
from tests.support.programs import RAM_BASE
from tests.support.sbi import timer_sbi
from tests.support.short import RAM_SIZE, STEPS, Short
from toyvm.hart import state as s
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine
from toyvm.machine.harts import signed64
from toyvm.machine.loader import Program

#: (field of the record, attribute of the model): all that is compared number by number.
FIELDS = (
    (s.PC, "pc"),
    (s.MODE, "mode"),
    (s.STEPS, "steps"),
    (s.IDLE, "idle_steps"),
    (s.TIME_OFFSET, "time_offset"),
    (s.MSTATUS, "mstatus"),
    (s.MEDELEG, "medeleg"),
    (s.MIDELEG, "mideleg"),
    (s.MIE, "mie"),
    (s.MIP, "mip_software"),
    (s.LINES, "lines"),
    (s.MTVEC, "mtvec"),
    (s.MSCRATCH, "mscratch"),
    (s.MEPC, "mepc"),
    (s.MCAUSE, "mcause"),
    (s.MTVAL, "mtval"),
    (s.MCOUNTEREN, "mcounteren"),
    (s.MCOUNTINHIBIT, "mcountinhibit"),
    (s.MENVCFG, "menvcfg"),
    (s.STVEC, "stvec"),
    (s.SSCRATCH, "sscratch"),
    (s.SEPC, "sepc"),
    (s.SCAUSE, "scause"),
    (s.STVAL, "stval"),
    (s.SATP, "satp"),
    (s.SCOUNTEREN, "scounteren"),
    (s.SENVCFG, "senvcfg"),
    (s.MENVCFGH, "menvcfgh"),
)
RECORD_FIELDS = itemgetter(*(at for at, _ in FIELDS))
MODEL_FIELDS = attrgetter(*(name for _, name in FIELDS))
#: Fields that go from the model into a record at the start of a program.
STARTED = [(at, attrgetter(name)) for at, name in FIELDS if name != "steps"]
#: Legacy calls and BASE: what the built-in firmware does is not the model's business.
FIRMWARE = {1, 2, 3, 4, 5, 6, 7, 8, 0x10}


class Difference(AssertionError):
    """Two of the three disagree."""


@dataclass
class Tally:
    """What the programs of a run did, so that a test can ask whether they did enough."""

    programs: int = 0
    steps: int = 0
    causes: dict[int, int] = field(default_factory=dict)
    modes: set[tuple[int, bool]] = field(default_factory=set)
    names: set[int] = field(default_factory=set)


def _sbi(hart: Any) -> None:
    """Timer calls as tests/support/sbi.py; any other real call ends the program."""
    if hart.x[17] in FIRMWARE:
        hart.foreign = True
    else:
        timer_sbi(hart)


class Runner:
    """Bare machine, model and perhaps a VM for programs of one kind (``short.KINDS``)."""

    def __init__(self, kind: str, with_vm: bool = False, **vm: str) -> None:
        """`vm`: options of the VM, such as its technique."""
        self.kind = kind
        self.options = {"sstc": kind == "sstc", "ad_fault": kind == "ad fault"}
        bios = "sbi" if kind == "sbi" else "none"
        self.bare = Machine(RAM_SIZE, bios=bios, **self.options)
        self.computers: list[Computer] = [self.bare]
        if with_vm:
            options: dict[str, Any] = {**self.options, **vm}
            self.computers.append(Vm("short", RAM_SIZE, bios=bios, reserved=True, **options))
        for computer in self.computers:
            # The programs replace all of RAM.
            computer.load(Program("short", [(RAM_BASE, bytes(4), 4)], RAM_BASE))
        self.fresh = [computer.record.copy() for computer in self.computers]
        self.views = [_ram(computer) for computer in self.computers]
        self.places = [view.ctypes.data for view in self.views]
        self.tally = Tally()

    # ---- into a program's state -----------------------------------------------------------

    def start(self, program: Short) -> NaiveHart:
        """Everything into the program's state; the model of it."""
        model: Any = NaiveHart(
            RAM_SIZE,
            mmio=NaiveClint(),
            sbi=_sbi if self.kind == "sbi" else None,
            **self.options,
        )
        model.foreign = False
        program.start(model)
        image = np.frombuffer(program.image, dtype=np.uint8)
        for computer, fresh, view in zip(self.computers, self.fresh, self.views, strict=True):
            computer.board.reset()
            computer.hart.flush()
            computer._forget_translations(computer.hart)
            record = computer.record
            # How often decoded words were forgotten is the caches' business, not the guest's.
            fresh[s.FORGETS] = record[s.FORGETS]
            record[:] = fresh
            computer.hart.p[s.RESERVATION] = -1
            computer._stop, computer._trapping = None, 0
            computer._begin_turn(0)
            view[:] = image
            computer.x[:32] = program.registers
            for at, get in STARTED:
                record[at] = get(model)
            for half in (0, 4):  # the CLINT keeps a copy, which stores of one half complete
                word = model.mtimecmp >> 8 * half & 0xFFFF_FFFF
                assert computer.board.bus.write(CLINT_BASE + 0x4000 + half, 4, word)
            record[s.STIMECMP] = signed64(model.stimecmp)
            record[s.STIMER_ON] = model.stimer_on() and self.kind in ("sbi", "sstc")
            # Steps are 0: the offsets are the counters themselves, frozen or not.
            record[s.CYCLE_OFFSET] = signed64(model.mcycle)
            record[s.INSTRET_OFFSET] = signed64(model.minstret)
            record[s.PMPCFG : s.PMPCFG + 16] = model.pmpcfg[:16]
            record[s.PMPADDR : s.PMPADDR + 16] = model.pmpaddr[:16]
        self._model_ram = (ctypes.c_char * RAM_SIZE).from_buffer(model.ram)
        return model

    # ---- one program ------------------------------------------------------------------------

    def step_by_step(self, program: Short, steps: int = STEPS) -> None:
        """The bare machine against the model after every single step."""
        model: Any = self.start(program)
        tally = self.tally
        bare = self.bare
        self.compare(program, model, 0)
        before: LastStep | None = None
        for step in range(1, steps + 1):
            mode, paged = model.mode, bool(model.satp >> 31)
            model.step()
            if model.foreign:
                break
            _run(bare, 1)
            tally.steps += 1
            tally.modes.add((mode, paged))
            if model.last_cause is not None:
                tally.causes[model.last_cause] = tally.causes.get(model.last_cause, 0) + 1
            tally.names.update(model.csr_writes)
            try:
                self.compare(program, model, 0)
            except Difference as difference:
                told = tell(before) if before else ""
                raise Difference(
                    f"{program.name}: step {step}\n{difference}\n{told}\n{describe(model)}"
                ) from None
            before = last_step(model) if model.last_cause is None else before
            if model.stuck:
                break
        self.end(program, model)

    def in_runs(self, program: Short, sizes: Iterable[int]) -> None:
        """Bare, VM and model in runs of these sizes, compared after each."""
        model: Any = self.start(program)
        for size in sizes:
            first = model.steps
            for _ in range(size):
                foreign_at = model.steps
                model.step()
                if model.foreign or model.stuck:
                    break
            done = (foreign_at if model.foreign else model.steps) - first
            for i, computer in enumerate(self.computers):
                _run(computer, done)
                if not model.foreign:
                    self.compare(program, model, i)
            if model.foreign or model.stuck:
                break
            self.tally.steps += done
        if not model.foreign:
            self.end(program, model)
        else:
            self.tally.programs += 1

    def end(self, program: Short, model: Any) -> None:
        """Now and then all CSRs as the machine shows them."""
        self.tally.programs += 1
        if self.tally.programs % 16 or model.foreign:
            return
        ours, theirs = self._state(), model.state()
        if ours != theirs:
            raise Difference(f"{program.name}: at its end\n{table(ours, theirs)}")

    def _state(self) -> dict[str, Any]:
        adapter = MachineAdapter.__new__(MachineAdapter)
        adapter.machine = self.bare
        return adapter.state()

    # ---- comparison -------------------------------------------------------------------------

    def compare(self, program: Short, model: Any, which: int) -> None:
        """Computer number ``which`` against the model: everything."""
        computer = self.computers[which]
        record = computer.record.tolist()
        same = (
            RECORD_FIELDS(record) == MODEL_FIELDS(model)
            and computer.x[:32].tolist() == model.x
            and self._counters(record) == (model.mcycle, model.minstret)
            and record[s.TIMECMP] & MASK64 == model.mtimecmp
            and record[s.STIMECMP] & MASK64 == model.stimecmp
            and record[s.PMPCFG : s.PMPCFG + 16] == model.pmpcfg[:16]
            and record[s.PMPADDR : s.PMPADDR + 16] == model.pmpaddr[:16]
            and self._reservation(computer) == (model.reservation or -1)
            and memcmp(self.places[which], self._model_ram, RAM_SIZE) == 0
        )
        if not same:
            raise Difference(self.explain(program, model, which))

    @staticmethod
    def _counters(record: Sequence[int]) -> tuple[int, int]:
        """mcycle and minstret of a record (docs/architecture.md, the clock)."""
        steps, inhibit = record[s.STEPS], record[s.MCOUNTINHIBIT]
        cycle = record[s.CYCLE_OFFSET] + (0 if inhibit & 1 else steps)
        retired = 0 if inhibit & 4 else steps - record[s.NOT_RETIRED]
        return cycle & MASK64, record[s.INSTRET_OFFSET] + retired & MASK64

    @staticmethod
    def _reservation(computer: Computer) -> int:
        offset = int(computer.hart.p[s.RESERVATION])
        return -1 if offset < 0 else RAM_BASE + offset - int(computer.memory.fmap[0]) * 4096

    def explain(self, program: Short, model: Any, which: int) -> str:
        """A table of what differs."""
        computer = self.computers[which]
        record = computer.record.tolist()
        names = [name for _, name in FIELDS]
        ours: dict[str, Any] = dict(zip(names, RECORD_FIELDS(record), strict=True))
        theirs: dict[str, Any] = dict(zip(names, MODEL_FIELDS(model), strict=True))
        for i in range(32):
            ours[f"x{i}"], theirs[f"x{i}"] = int(computer.x[i]), model.x[i]
        ours["mcycle"], ours["minstret"] = self._counters(record)
        theirs["mcycle"], theirs["minstret"] = model.mcycle, model.minstret
        for at, name in ((s.TIMECMP, "mtimecmp"), (s.STIMECMP, "stimecmp")):
            ours[name], theirs[name] = record[at] & MASK64, getattr(model, name)
        ours["pmpcfg"] = record[s.PMPCFG : s.PMPCFG + 16]
        ours["pmpaddr"] = record[s.PMPADDR : s.PMPADDR + 16]
        theirs["pmpcfg"], theirs["pmpaddr"] = model.pmpcfg[:16], model.pmpaddr[:16]
        ours["reservation"] = self._reservation(computer)
        theirs["reservation"] = model.reservation or -1
        for at in np.flatnonzero(self.views[which] != np.frombuffer(model.ram, dtype=np.uint8))[:4]:
            ours[f"RAM+{at:#x}"], theirs[f"RAM+{at:#x}"] = int(self.views[which][at]), model.ram[at]
        who = "virtualised" if which else "bare"
        return f"{program.name}: {who} and model differ\n{table(ours, theirs)}"


def _ram(computer: Computer) -> np.ndarray:
    """The guest's RAM where it lies in the host's; its pages are neighbours."""
    fmap = computer.memory.fmap
    assert (np.diff(fmap) == 1).all()
    first = int(fmap[0]) * 4096
    return computer.memory.ram[first : first + RAM_SIZE]


def _run(computer: Computer, steps: int) -> None:
    """Exactly so many steps; a wfi sleeps at once, as the model's does."""
    if steps:
        stop = computer.run(steps)
        if stop.reason not in ("budget", "idle"):
            raise Difference(f"the machine stops: {stop} {computer.report}")
    if computer.waiting:
        computer.run(0)


def sizes(seed: int, total: int = STEPS) -> list[int]:
    """Runs of different length, ``total`` steps in all."""
    rng = random.Random(f"runs {seed}")
    found: list[int] = []
    while sum(found) < total:
        found.append(min(rng.choice((1, 3, 7, 20, 48)), total - sum(found)))
    return found
