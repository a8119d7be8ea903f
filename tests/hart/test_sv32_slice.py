"""Every kind of Sv32 access, compiled machine against model: a seeded slice.

All leaf PTE bits (V R W X U A D) x four shapes of the walk x SUM x MXR x four
effective modes x six accesses make 49,152 cases for hardware A/D update.  A
seeded slice of them runs by default, all of them with TOYVM_FULL=1.

Each case touches the page twice (cold and warm TLB) after a PTE change with
sfence.vma, and compares registers, traps, all CSRs and the PTE written back.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from typing import NamedTuple

import pytest

from tests.naive import NaiveHart
from tests.support.asm import Asm
from tests.support.compare import describe, quick_of, table
from tests.support.machine_adapter import MachineAdapter
from tests.support.programs import RAM_BASE

SLICE = 3000
CHUNKS = 6

V, R, W, X, U, A, D = 1, 2, 4, 8, 16, 64, 128
BITS = (V, R, W, X, U, A, D)
SHAPES = ("4 KiB", "4 MiB", "misaligned 4 MiB", "pointer at level 0")
ACCESSES = ("fetch", "lw", "sw", "lr", "sc", "amo")
MODES = ("U", "S", "MPRV to U", "MPRV to S")
SUM, MXR, MPRV = 1 << 18, 1 << 19, 1 << 17

STUB, STUB_MPRV, HANDLER, CODE = (RAM_BASE + at for at in (0, 0x40, 0xC0, 0x100))
ROOT, TABLE, PAGE = (RAM_BASE + at for at in (0x10000, 0x11000, 0x20000))
VA = 0x1002_0340  # its 4 MiB offset is PAGE's, so that both page sizes reach it
ECALL = 0x0000_0073


class Case(NamedTuple):
    flags: int
    shape: str
    sum_: int
    mxr: int
    mode: str
    access: str


def all_cases() -> list[Case]:
    flags = [sum(bits) for bits in itertools.product(*((0, bit) for bit in BITS))]
    return [
        Case(*case)
        for case in itertools.product(flags, SHAPES, (0, SUM), (0, MXR), MODES, ACCESSES)
    ]


def program() -> bytes:
    """Stubs that enter a mode, and one piece of code per access."""
    a = Asm(STUB)
    a.csrw(0x180, 10)
    a.sfence_vma()
    a.csrw(0x300, 11)
    a.csrw(0x341, 12)
    a.mret()
    a.pad_to(STUB_MPRV)
    a.csrw(0x180, 10)
    a.sfence_vma()
    a.csrw(0x300, 11)
    a.jalr(0, 12, 0)
    a.pad_to(HANDLER)
    a.csrr(14, 0x342)
    for i, access in enumerate(ACCESSES):
        a.pad_to(CODE + 0x40 * i)
        if access == "fetch":
            a.jalr(1, 13, 0)
        elif access == "lw":
            a.lw(5, 0, 13)
            a.lw(6, 0, 13)
        elif access == "sw":
            a.sw(7, 0, 13)
            a.sw(7, 4, 13)
        elif access == "lr":
            a.lr(5, 13)
            a.lr(6, 13)
        elif access == "sc":
            a.sc(5, 13, 7)
            a.lr(6, 13)
            a.sc(6, 13, 7)
        else:
            a.amoadd(5, 13, 7)
            a.amoswap(6, 13, 7)
        a.ecall()
    return a.image().ljust(0x1000, b"\0")


class Pair:
    """The machine and the model, set up and stepped together."""

    def __init__(self) -> None:
        self.dut = MachineAdapter(program(), pmp=0)
        self.model: NaiveHart = self.dut.model()
        for side in (self.dut.machine.set_csr, self.write_model_csr):
            side("mtvec", HANDLER)

    def write_model_csr(self, name: str, value: int) -> None:
        assert name == "mtvec"
        self.model.mtvec = value

    def word(self, pa: int, data: bytes) -> None:
        self.model.dma_write(pa, data)
        assert self.dut.machine.write_phys(pa, data)

    def put(self, pa: int, value: int) -> None:
        self.word(pa, value.to_bytes(4, "little"))

    def register(self, i: int, value: int) -> None:
        self.model.set_x(i, value)
        self.dut.machine.set_x(i, value)

    def start(self, pc: int) -> None:
        assert self.model.mode == 3
        self.model.pc = pc
        self.dut.machine.set_pc(pc)


def set_up(pair: Pair, case: Case) -> None:
    """Tables, page contents and registers of a case; both stand before a stub."""
    leaf_pa = PAGE
    in_root = case.shape in ("4 MiB", "misaligned 4 MiB")
    flags = case.flags
    if in_root:
        leaf_pa = RAM_BASE | (0x3000 if case.shape != "4 MiB" else 0)
    if case.shape == "pointer at level 0":
        flags &= ~(R | W | X)
    leaf = leaf_pa >> 12 << 10 | flags
    pair.put(ROOT + 4 * (VA >> 22), leaf if in_root else TABLE >> 12 << 10 | V)
    pair.put(TABLE + 4 * (VA >> 12 & 0x3FF), leaf)
    code_flags = V | R | X | A | D | (U if case.mode == "U" else 0)
    pair.put(ROOT + 4 * (RAM_BASE >> 22), RAM_BASE >> 12 << 10 | code_flags)
    for at in (0, 4):
        pair.put(PAGE + (VA & 0xFFF) + at, ECALL)
    to = 0x800 if case.mode.endswith("S") else 0
    mprv = case.mode.startswith("MPRV")
    pair.register(10, 1 << 31 | ROOT >> 12)
    pair.register(11, case.sum_ | case.mxr | to | (MPRV if mprv else 0))
    pair.register(12, CODE + 0x40 * ACCESSES.index(case.access))
    pair.register(13, VA)
    pair.register(7, 0x1234_5678)
    pair.start(STUB_MPRV if mprv else STUB)


def run_case(pair: Pair, case: Case) -> int:
    """Step both until the case traps into M-mode; returns the cause."""
    set_up(pair, case)
    dut, model = pair.dut, pair.model
    for _ in range(20):
        model.step()
        dut.step()
        assert dut.quick() == quick_of(model), (
            f"{case}\n{describe(model)}\n{table(dut.state(), model.state())}"
        )
        if model.last_cause is not None:
            break
    ours, theirs = dut.state(), model.state()
    assert ours == theirs, f"{case}\n{describe(model)}\n{table(ours, theirs)}"
    for pa in (ROOT + 4 * (VA >> 22), TABLE + 4 * (VA >> 12 & 0x3FF), PAGE + (VA & 0xFFF)):
        mine = dut.machine.read_phys(pa, 4)
        assert mine == model.ram_read(pa, 4).to_bytes(4, "little"), f"{case}: word at {pa:#x}"
    assert model.last_cause is not None, f"{case}: no trap"
    return model.last_cause


def chosen() -> list[Case]:
    cases = all_cases()
    assert len(cases) == 49_152
    rng = random.Random("Sv32 slice")
    return rng.sample(cases, len(cases) if os.environ.get("TOYVM_FULL") else SLICE)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_slice(chunk: int) -> None:
    pair = Pair()
    outcomes: Counter[int] = Counter()
    for case in chosen()[chunk::CHUNKS]:
        outcomes[run_case(pair, case)] += 1
    # Page faults of the three kinds; ecalls of every mode where all went well; and
    # the access fault of a fetch that MPRV does not translate.
    assert set(outcomes) == {12, 13, 15, 8, 9, 11, 1}


def test_a_slice_has_every_value_of_every_dimension() -> None:
    cases = chosen()
    for i, size in enumerate((128, 4, 2, 2, 4, 6)):
        assert len({case[i] for case in cases}) == size
