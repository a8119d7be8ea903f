"""The compiled machine as a device under test for ``compare.lockstep``."""

from __future__ import annotations

from typing import Any

from tests.naive import COMPARED_CSRS, NaiveHart
from tests.support.clint import CLINT_BASE, NaiveClint
from tests.support.programs import Program
from tests.support.sbi import timer_sbi
from toyvm.machine import Machine

RAM_BASE = 0x8000_0000
MODES = {"U": 0, "S": 1, "M": 3}


class MachineAdapter:
    """A Machine with a program in it.  ``bios`` is "none" or "sbi"."""

    def __init__(
        self,
        image: bytes,
        ram_size: int = 1 << 20,
        bios: str = "none",
        pmp: int = 16,
        machine: Any = None,
        kind: Any = Machine,
        sstc: bool = False,
        ad_fault: bool = False,
    ) -> None:
        self.sstc = sstc
        self.ad_fault = ad_fault
        self.ram_size = ram_size
        self.bios = bios
        self.pmp = pmp
        self.machine = machine or kind(
            ram=ram_size, bios=bios, pmp=pmp, sstc=sstc, ad_fault=ad_fault
        )
        self.machine.load(image)

    @classmethod
    def of(cls, program: Program, **options: Any) -> MachineAdapter:
        """A machine for one generated program."""
        return cls(program.image, program.ram_size, **options)

    def model(self) -> NaiveHart:
        """A reference hart in the state this machine is in before its first step."""
        hart = NaiveHart(
            self.ram_size,
            pmp=self.pmp,
            mmio=NaiveClint(),
            sbi=timer_sbi if self.bios == "sbi" else None,
            sstc=self.sstc,
            ad_fault=self.ad_fault,
        )
        hart.ram[:] = self.ram_bytes()
        for i in range(1, 32):
            hart.x[i] = int(self.machine.x[i])
        hart.pc = self.machine.pc
        return hart

    def step(self) -> None:
        """One step; a wfi sleeps to its end at once, as the model's does."""
        self.run(1)

    def run(self, steps: int) -> None:
        """Exactly ``steps`` steps, fewer only in a wfi that nothing ends."""
        machine = self.machine
        before = machine.steps
        stop = machine.run(steps)
        assert stop.reason in ("budget", "idle"), stop
        assert stop.reason == "idle" or machine.steps == before + steps
        if machine.waiting and stop.reason == "budget":
            stop = machine.run(0)
            assert stop.reason in ("budget", "idle"), stop

    def quick(self) -> tuple[Any, ...]:
        machine = self.machine
        registers = tuple(int(v) for v in machine.x[1:32])
        return machine.pc, MODES[machine.mode], registers, machine.steps

    def state(self) -> dict[str, Any]:
        machine = self.machine
        state: dict[str, Any] = {"pc": machine.pc, "mode": MODES[machine.mode]}
        for i in range(1, 32):
            state[f"x{i}"] = int(machine.x[i])
        for name in COMPARED_CSRS:
            state[name] = machine.csr(name)
        state["mcycle"] = machine.csr("mcycle") | machine.csr("mcycleh") << 32
        state["minstret"] = machine.csr("minstret") | machine.csr("minstreth") << 32
        state["steps"] = machine.steps
        state["mtime"] = machine.mtime()
        return state

    def ram_bytes(self) -> bytes:
        data = self.machine.read_phys(RAM_BASE, self.ram_size)
        assert data is not None
        return data


class SpikeFace:
    """A Machine with the face that ``spike.compare`` wants of a model.

    It sees what the machine shows: a step that retired nothing was a trap, and
    its cause is in the trap registers of the mode it went to.
    """

    stores = None

    def __init__(self, adapter: MachineAdapter) -> None:
        self.adapter = adapter
        self.machine = adapter.machine
        # As Spike after reset: the timer's deadline has passed.
        for half in (0, 4):
            assert self.machine.board.bus.write(CLINT_BASE + 0x4000 + half, 4, 0)
        self.last_pc = self.machine.pc
        self.last_mode = MODES[self.machine.mode]
        self.last_word: int | None = None
        self.last_cause: int | None = None
        self.last_tval = 0

    def step(self, late: int = 0) -> None:
        """One step of the machine."""
        assert not late, "a machine takes an interrupt when it does"
        machine = self.machine
        self.last_pc, self.last_mode = machine.pc, MODES[machine.mode]
        before = machine.instret
        self.adapter.step()
        self.last_cause, self.last_tval = None, 0
        if machine.instret == before:
            level = "m" if machine.mode == "M" else "s"
            self.last_cause = machine.csr(level + "cause")
            self.last_tval = machine.csr(level + "tval")

    def interrupt_to_take(self) -> None:
        """Not known from outside."""

    def memory(self, va: int, n: int) -> bytes | None:
        """RAM at a virtual address, None if it is not RAM or not mapped now."""
        return self.machine.read(va, n)

    def set_x(self, register: int, value: int) -> None:
        self.machine.set_x(register, value)

    def csr(self, name: str) -> int:
        return self.machine.csr(name)

    def write_csr(self, number: int, value: int) -> None:
        self.machine.set_csr(number, value)

    @property
    def x(self) -> list[int]:
        return [int(v) for v in self.machine.x[:32]]

    @property
    def pc(self) -> int:
        return self.machine.pc

    @property
    def mode(self) -> int:
        return MODES[self.machine.mode]

    @property
    def mstatus(self) -> int:
        return self.csr("mstatus")

    @property
    def satp(self) -> int:
        return self.csr("satp")

    @property
    def minstret(self) -> int:
        return self.csr("minstret") | self.csr("minstreth") << 32

    @minstret.setter
    def minstret(self, value: int) -> None:
        """Make the counter read ``value``, small, before the first step."""
        assert value < 0x1000
        # A write may be timed as an instruction's, which is not counted itself.
        for written in (value, value + 1):
            self.machine.set_csr("minstret", written)
            if self.minstret & 0xFFFF_FFFF == value:
                break
        assert self.minstret == value
