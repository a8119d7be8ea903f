"""All 4096 CSR numbers, in all forms and modes: compiled machine against model.

Six instructions x three modes x rs1 (x0, a register holding zero, one holding
a value) x rd (x0 or not) x 4096 numbers make 442,368 single steps.  A seeded
choice of rs1 and rd runs by default (some 80,000), all with TOYVM_FULL=1.

Each case starts from the same machine state.  The whole state is compared
after every case that did not trap as an illegal instruction, registers after
all of them.
"""

from __future__ import annotations

import itertools
import os
import random
from typing import Any

import pytest

from tests.naive import NaiveHart
from tests.support.asm import CSR_OPS, Asm
from tests.support.compare import describe, quick_of, table
from tests.support.machine_adapter import MachineAdapter
from tests.support.naive_csrs import NAMES
from tests.support.programs import RAM_BASE

MODES = {"U": 0, "S": 1, "M": 3}
ZERO, VALUE, RD = 6, 7, 5  # registers; VALUE holds a pattern, ZERO zero
SOURCES = (0, ZERO, VALUE)
CODE = RAM_BASE + 0x1000
PER_BLOCK = 512

# What every case starts from. PMP is open and unlocked. Counters run on and
# mcountinhibit stays: a write from outside is not timed as an instruction's is.
BASE: dict[str, int] = {
    "medeleg": 0,
    "mideleg": 0x222,
    "mie": 0,
    "mip": 0x20,
    "mtvec": RAM_BASE + 0x800,
    "mcounteren": 5,
    "scounteren": 6,
    "satp": 0,
    "mscratch": 0x1111_1111,
    "sscratch": 0x2222_2222,
    "stvec": 0x3333_3330,
    "pmpaddr0": 0xFFFF_FFFF,
    "pmpcfg0": 0x1F,
    "pmpcfg1": 0,
    "pmpcfg2": 0,
    "pmpcfg3": 0,
}
# A locked entry stays locked: that is for the random kernels.
UNLOCKED = {0x3A0 + i: 0x7F7F_7F7F for i in range(4)}

EXISTING = set(NAMES.values())
FULL = bool(os.environ.get("TOYVM_FULL"))


class Pair:
    """Machine and model, in step."""

    def __init__(self) -> None:
        mret = Asm()
        mret.mret()
        self.dut = MachineAdapter(mret.image().ljust(0x8000, b"\0"))
        self.model: NaiveHart = self.dut.model()
        self.changed: set[int] = {NAMES[name] for name in BASE}

    def csr(self, name: str, value: int) -> None:
        self.model.write_csr(NAMES[name], value)
        self.dut.machine.set_csr(name, value)

    def register(self, i: int, value: int) -> None:
        self.model.set_x(i, value)
        self.dut.machine.set_x(i, value)

    def code(self, words: list[int]) -> None:
        data = b"".join(word.to_bytes(4, "little") for word in words)
        self.model.dma_write(CODE, data)
        assert self.dut.machine.write_phys(CODE, data)

    def step(self) -> int | None:
        self.model.step()
        self.dut.step()
        return self.model.last_cause

    def enter(self, mode: int, pc: int) -> None:
        """From M-mode: base state, then mret to ``mode`` at ``pc``."""
        assert self.model.mode == 3
        for name, value in BASE.items():
            if NAMES[name] in self.changed or name == "pmpcfg0":
                self.csr(name, value)
        self.changed.clear()
        self.csr("mepc", pc)
        self.csr("mstatus", mode << 11 | 0x80)
        self.model.pc = RAM_BASE
        self.dut.machine.set_pc(RAM_BASE)
        assert self.step() is None

    def check(self, what: str, full: bool) -> None:
        if not full and self.dut.quick() == quick_of(self.model):
            return
        ours, theirs = self.dut.state(), self.model.state()
        assert ours == theirs, f"{what}\n{describe(self.model)}\n{table(ours, theirs)}"


def instruction(name: str, rd: int, number: int, source: int) -> int:
    a = Asm()
    operand = source if not name.endswith("i") else {0: 0, ZERO: 1, VALUE: 31}[source]
    a.op(name, rd, number, operand)
    return a.words()[0]


def forms(rng: random.Random, number: int) -> list[tuple[int, int]]:
    """The (rs1, rd) to try for one instruction on one CSR; more where it exists."""
    everything = list(itertools.product(SOURCES, (0, RD)))
    if FULL:
        return everything
    return [(0, RD), rng.choice(everything)] if number in EXISTING else [rng.choice(everything)]


def try_one(pair: Pair, mode: int, number: int, word: int, pc: int, pattern: int) -> int | None:
    """One case; leaves both in M-mode."""
    pair.enter(mode, pc)
    pair.register(ZERO, 0)
    pair.register(VALUE, pattern & UNLOCKED.get(number, 0xFFFF_FFFF))
    pair.register(RD, 0xDEAD_BEEF)
    cause = pair.step()
    what = f"CSR {number:#x}, word {word:#010x}, mode {mode}, value {pattern:#x}"
    pair.check(what, full=cause is None)
    if pair.model.csr_writes:
        pair.changed.add(number)
        # Views write what is behind them.
        pair.changed |= {NAMES["mie"], NAMES["mip"], NAMES["satp"], NAMES["medeleg"]}
    if pair.model.mode != 3:
        for name in ("satp", "medeleg", "mie", "mtvec"):
            pair.csr(name, BASE[name])
        assert pair.step() is not None  # the ecall after it
        pair.check(what + ", ecall after it", full=False)
    return cause


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CSR_OPS)
def test_all_numbers(name: str, mode: str) -> None:
    rng = random.Random(f"csr {name} {mode}")
    pair = Pair()
    outcomes: dict[Any, int] = {}
    for first in range(0, 4096, PER_BLOCK):
        cases = [
            (number, instruction(name, rd, number, source))
            for number in range(first, first + PER_BLOCK)
            for source, rd in forms(rng, number)
        ]
        ecall = Asm()
        ecall.ecall()
        for start in range(0, len(cases), PER_BLOCK):
            block = cases[start : start + PER_BLOCK]
            pair.code([word for _, word in block for word in (word, *ecall.words())])
            for i, (number, word) in enumerate(block):
                pattern = rng.choice((0xFFFF_FFFF, 0x5555_5555, rng.getrandbits(32), 1 << 31))
                cause = try_one(pair, MODES[mode], number, word, CODE + 8 * i, pattern)
                outcomes[cause] = outcomes.get(cause, 0) + 1
    # U-mode has only read-only CSRs, so a swap is never legal there.
    legal = {None} if mode != "U" or name not in ("csrrw", "csrrwi") else set()
    assert set(outcomes) == {2} | legal
    assert outcomes[2] > 3000
