"""A debugger target on the independent slow hart, so that these tests need no compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assembler import Source, assemble
from tests.naive import NaiveHart
from tests.support.naive_csrs import NAMES
from toyvm.debugger.repl import new_session
from toyvm.debugger.session import Session
from toyvm.debugger.symbols import from_assembly
from toyvm.debugger.world import Guest, SingleWorld

UART, FINISHER = 0x1000_0000, 0x10_0000


@dataclass
class Stop:
    reason: str
    code: int = 0
    detail: str = ""


class Devices:
    """A console to write to and a word that ends the machine."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.code: int | None = None

    def read(self, pa: int, width: int) -> int | None:
        return 0 if pa == UART else None

    def write(self, pa: int, width: int, value: int) -> bool:
        if pa == UART:
            self.output.append(value & 255)
            return True
        if pa == FINISHER:
            self.code = 0 if value & 0xFFFF == 0x5555 else value >> 16
            return True
        return False


class NaiveTarget:
    """The Target protocol over tests.naive; runs stop at breakpoints, also at once."""

    kind = "machine"

    def __init__(self, name: str = "naive", ram: int = 1 << 20) -> None:
        self.name = name
        self.devices = Devices()
        self.hart = NaiveHart(ram, mmio=self.devices)
        self.stops: set[int] = set()
        self.fed = bytearray()
        self.exits: dict[str, int] | None = None
        self.runs = 0

    @property
    def pc(self) -> int:
        return self.hart.pc

    @property
    def mode(self) -> str:
        return {0: "U", 1: "S", 3: "M"}[int(self.hart.mode)]

    @property
    def steps(self) -> int:
        return self.hart.steps

    @property
    def instret(self) -> int:
        return self.hart.instret

    @property
    def mtime(self) -> int:
        return self.hart.mtime

    def reg(self, number: int) -> int:
        return self.hart.x[number]

    def csr(self, name: str) -> int:
        return self.hart.csr(name)

    def set_reg(self, number: int, value: int) -> None:
        self.hart.set_x(number, value)

    def set_csr(self, name: str, value: int) -> None:
        self.hart.write_csr(NAMES[name], value & 0xFFFF_FFFF)

    def set_pc(self, value: int) -> None:
        self.hart.pc = value & 0xFFFF_FFFF

    def read_phys(self, pa: int, count: int) -> bytes | None:
        start = pa - self.hart.ram_base
        if start < 0 or start + count > len(self.hart.ram):
            return None
        return bytes(self.hart.ram[start : start + count])

    def read(self, va: int, count: int) -> bytes | None:
        return self.read_phys(va, count)

    def write_phys(self, pa: int, data: bytes) -> bool:
        start = pa - self.hart.ram_base
        if start < 0 or start + len(data) > len(self.hart.ram):
            return False
        self.hart.ram[start : start + len(data)] = data
        return True

    def write(self, va: int, data: bytes) -> bool:
        return self.write_phys(va, data)

    def run(self, steps: int) -> Stop:
        self.runs += 1
        for _ in range(steps):
            if self.devices.code is not None:
                return Stop("exit", self.devices.code, "finisher")
            if self.hart.pc in self.stops:
                return Stop("breakpoint")
            self.hart.step()
            if self.hart.stuck:
                return Stop("idle")
        if self.devices.code is not None:
            return Stop("exit", self.devices.code, "finisher")
        return Stop("budget")

    def add_breakpoint(self, va: int) -> None:
        self.stops.add(va)

    def remove_breakpoint(self, va: int) -> None:
        self.stops.discard(va)

    def new_output(self) -> bytes:
        fresh = bytes(self.devices.output)
        self.devices.output.clear()
        return fresh

    def feed(self, data: bytes) -> None:
        self.fed += data

    def ledger(self) -> Mapping[str, int] | None:
        return self.exits


def guest(source: str, name: str = "naive") -> Guest:
    """A target with `source` loaded, and its symbols and lines."""
    image = assemble([Source("test.s", source)])
    target = NaiveTarget(name)
    for segment in image.segments:
        target.hart.load_program(bytes(segment.data), segment.addr)
    return Guest(target, from_assembly(image))


def session(source: str, out: object) -> Session:
    """A session on one such target that writes to `out`; no context at stops."""
    made = new_session(SingleWorld("test", lambda: guest(source)), out)  # type: ignore[arg-type]
    made.sections = []
    return made
