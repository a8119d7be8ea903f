"""The compiled machine as a device under test for ``compare.lockstep``."""

from __future__ import annotations

from typing import Any

from tests.naive import COMPARED_CSRS, NaiveHart
from tests.support.clint import NaiveClint
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
    ) -> None:
        self.ram_size = ram_size
        self.bios = bios
        self.pmp = pmp
        self.machine = machine or Machine(ram=ram_size, bios=bios, pmp=pmp)
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
            mmio=NaiveClint() if self.bios == "none" else None,
            sbi=timer_sbi if self.bios == "sbi" else None,
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
