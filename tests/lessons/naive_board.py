"""The independent hart of tests/naive.py with the face of a Machine, for recorder and lessons."""

from __future__ import annotations

from lessons.runner import RAM, Boards
from tests.naive import NaiveHart
from tests.support.naive_csrs import NAMES


class NaiveMachine:
    """What lessons use of a Machine: one hart in M-mode, RAM only."""

    def __init__(self, ram: int = RAM) -> None:
        self.hart = NaiveHart(ram, pmp=0)

    @property
    def pc(self) -> int:
        return self.hart.pc

    @property
    def x(self) -> list[int]:
        return self.hart.x

    def step(self, n: int = 1) -> None:
        self.hart.run(n)

    def csr(self, name: str) -> int:
        return self.hart.csr(name)

    def set_csr(self, name: str, value: int) -> None:
        self.hart.write_csr(NAMES[name], value)

    def set_pc(self, value: int) -> None:
        self.hart.pc = value

    def set_x(self, index: int, value: int) -> None:
        self.hart.set_x(index, value)

    def read_phys(self, pa: int, n: int) -> bytes | None:
        start = pa - self.hart.ram_base
        if start < 0 or start + n > len(self.hart.ram):
            return None
        return bytes(self.hart.ram[start : start + n])

    def write_phys(self, pa: int, data: bytes) -> bool:
        start = pa - self.hart.ram_base
        if start < 0 or start + len(data) > len(self.hart.ram):
            return False
        self.hart.ram[start : start + len(data)] = data
        return True


class NaiveBoards(Boards):
    """Bare machines made of the independent hart."""

    def machine(self) -> NaiveMachine:
        return NaiveMachine()
