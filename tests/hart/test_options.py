"""Options of the hart, bare and virtualised, against the independent model.

A and D bits by fault, the supervisor's own timer (Sstc), fewer PMP entries, and times of 64 bits.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from tests.support.asm import Asm
from tests.support.clint import CLINT_BASE
from tests.support.compare import lockstep, lockstep_chunks
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.machine_adapter import MachineAdapter
from tests.support.naive_csrs import NAMES
from tests.support.programs import RAM_BASE
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

KINDS = pytest.mark.parametrize("kind", [Machine, Vm])
STIMECMP, STIMECMPH, MENVCFGH = 0x14D, 0x15D, 0x31A


def sizes(seed: int, total: int) -> list[int]:
    rng = random.Random(f"options {seed}")
    chunks: list[int] = []
    while sum(chunks) < total:
        chunks.append(rng.choice((1, 2, 9, 40, 200, 900)))
    return chunks


# ---- A and D bits by fault (4.3.2, step 7) ----------------------------------------------


@KINDS
@pytest.mark.parametrize("seed", range(500, 512))
def test_random_kernels_whose_pages_fault(kind: type, seed: int) -> None:
    program = machine_kernel(seed)
    dut = MachineAdapter.of(program, kind=kind, ad_fault=True)
    lockstep_chunks(dut, dut.model(), sizes(seed, 5000), name=program.name)


def test_the_kernels_do_fault_for_that_reason() -> None:
    """With A and D set by hardware the same kernels run another way."""
    different = 0
    for seed in range(500, 512):
        program = machine_kernel(seed)
        ends = []
        for ad_fault in (False, True):
            model = MachineAdapter.of(program, ad_fault=ad_fault).model()
            model.run(3000)
            ends.append(model.state())
        different += ends[0] != ends[1]
    assert different >= 6


# ---- Sstc -------------------------------------------------------------------------------


def one_instruction(word: int, mode: int, kind: type, setup: dict[str, int]) -> None:
    """Step `word` in `mode` from the same state on both sides, and compare everything."""
    a = Asm()
    a.mret()
    a.word(word)
    a.ecall()
    dut = MachineAdapter(a.image().ljust(0x1000, b"\0"), kind=kind, sstc=True)
    model = dut.model()
    values = {"pmpaddr0": 0xFFFF_FFFF, "pmpcfg0": 0x1F, "mtvec": RAM_BASE + 0x800, **setup}
    values |= {"mepc": RAM_BASE + 4, "mstatus": mode << 11}
    for name, value in values.items():
        dut.machine.set_csr(name, value)
        model.write_csr(NAMES[name], value)
    for register, value in ((7, 0x8765_4321), (6, 0)):
        dut.machine.set_x(register, value)
        model.set_x(register, value)
    assert lockstep(dut, model, 3, name=f"{word:#010x} in mode {mode} with {setup}") == 3


@KINDS
def test_every_access_to_the_registers_of_sstc(kind: type) -> None:
    seen = 0
    numbers = (STIMECMP, STIMECMPH, MENVCFGH, 0x344, 0x144)
    for number, mode, stce, counters in itertools.product(numbers, (0, 1, 3), (0, 1), (0, 2, 7)):
        for name, source in (("csrrw", 7), ("csrrs", 6), ("csrrc", 7)):
            if kind is Vm and name == "csrrc" and counters == 7:
                continue  # the same kernels: a smaller choice is enough
            a = Asm()
            a.op(name, 5, number, source)
            setup = {"menvcfgh": stce << 31, "mcounteren": counters, "stimecmph": 0x7FFF_FFFF}
            one_instruction(a.words()[0], mode, kind, setup)
            seen += 1
    assert seen > 200


def timer_program(rng: random.Random) -> bytes:
    """S-mode sets stimecmp again and again; its handler counts and looks at sip and time."""
    a = Asm()
    a.li(5, 0xFFFF_FFFF)
    a.csrw(0x3B0, 5)
    a.addi(5, 0, 0x1F)
    a.csrw(0x3A0, 5)
    a.li(5, 1 << 31)
    a.csrw(MENVCFGH, 5)
    a.addi(5, 0, 7)
    a.csrw(0x306, 5)
    a.addi(5, 0, 0x20)
    a.csrw(0x303, 5)
    a.csrw(0x304, 5)
    a.la(5, "handler")
    a.csrw(0x105, 5)
    a.addi(5, 0, 100)
    a.csrw(STIMECMP, 5)
    a.la(5, "supervisor")
    a.csrw(0x341, 5)
    a.li(5, 1 << 11)
    a.csrw(0x300, 5)
    a.mret()
    a.label("supervisor")
    a.csrrsi(0, 0x100, 2)
    a.label("loop")
    for _ in range(30):
        kind = rng.randrange(5)
        if kind == 0:
            a.csrr(6, 0xC01)
            a.addi(6, 6, rng.randrange(-3, 40))
            a.csrw(STIMECMP, 6)
            a.csrw(STIMECMPH, 0)
        elif kind == 1:
            a.wfi()
        elif kind == 2:
            a.csrr(7, rng.choice((0x144, STIMECMP, STIMECMPH, 0xC01)))
        elif kind == 3:
            a.op(rng.choice(("csrrsi", "csrrci")), 0, 0x100, 2)
        else:
            a.addi(8, 8, 1)
    # Whatever the interrupts did: a time that comes, so that no wfi sleeps for ever.
    a.csrr(6, 0xC01)
    a.addi(6, 6, 60)
    a.csrw(STIMECMP, 6)
    a.csrw(STIMECMPH, 0)
    a.j("loop")
    a.label("handler")
    a.csrr(9, 0x144)
    a.csrr(10, 0xC01)
    a.csrr(11, 0x142)
    a.addi(12, 12, 1)
    a.csrr(13, 0xC01)
    a.addi(13, 13, 25)
    a.csrw(STIMECMP, 13)
    a.sret()
    return a.image().ljust(0x2000, b"\0")


@KINDS
def test_random_use_of_the_timer(kind: type) -> None:
    taken = 0
    for seed in range(25):
        rng = random.Random(f"sstc {seed}")
        dut = MachineAdapter(timer_program(rng), kind=kind, sstc=True)
        model = dut.model()
        lockstep_chunks(dut, model, sizes(seed, 1500), name=f"sstc {seed}", ram_every=1000)
        taken += model.x[12]
    assert taken > 200


@pytest.mark.parametrize("seed", range(3))
def test_kernels_under_sbi_with_sstc(seed: int) -> None:
    program = supervisor_kernel(seed)
    dut = MachineAdapter.of(program, bios="sbi", sstc=True)
    lockstep_chunks(dut, dut.model(), sizes(seed, 4000), name=program.name, ram_every=40)


# ---- fewer PMP entries (3.7) ------------------------------------------------------------


@pytest.mark.parametrize("entries", [0, 1, 2, 3, 5, 8, 13, 15, 16])
def test_registers_of_pmp(entries: int) -> None:
    rng = random.Random(f"pmp {entries}")
    dut = MachineAdapter(Asm().image().ljust(0x1000, b"\0"), pmp=entries)
    model = dut.model()
    names = [f"pmpcfg{i}" for i in range(16)] + [f"pmpaddr{i}" for i in range(64)]
    for round_ in range(300):
        name = rng.choice(names)
        # Few locks, or nothing would move any more.
        value = rng.getrandbits(32) & (0x7F7F_7F7F if name[3] == "c" and round_ < 250 else ~0)
        dut.machine.set_csr(name, value)
        model.write_csr(NAMES[name], value)
        assert {n: dut.machine.csr(n) for n in names} == {n: model.csr(n) for n in names}


@KINDS
@pytest.mark.parametrize("entries", [1, 4, 7])
def test_kernels_with_few_entries(kind: type, entries: int) -> None:
    for seed in range(700, 704):
        program = machine_kernel(seed)
        dut = MachineAdapter.of(program, kind=kind, pmp=entries)
        lockstep_chunks(dut, dut.model(), sizes(seed, 3000), name=program.name)


@pytest.mark.parametrize("entries", [-1, 17])
def test_no_machine_has_so_many(entries: int) -> None:
    with pytest.raises(ValueError, match=f"{entries} PMP entries"):
        Machine(ram=1 << 20, pmp=entries)


# ---- times of 64 bits -------------------------------------------------------------------

TIMES = (
    0,
    5,
    (1 << 58) - 1,
    1 << 58,
    1 << 60,
    (1 << 62) + 3,
    (1 << 63) - 2,
    1 << 63,
    (1 << 64) - 9,
)


def time_program(now: int, deadline: int) -> bytes:
    """Write mtimecmp, then mtime; read both, and mip, for a while."""
    a = Asm()
    a.li(5, CLINT_BASE + 0x4000)
    a.li(6, CLINT_BASE + 0xBFF8)
    for base, value in ((5, deadline), (6, now)):
        a.li(7, value & 0xFFFF_FFFF)
        a.sw(7, 0, base)
        a.li(7, value >> 32)
        a.sw(7, 4, base)
    a.label("loop")
    a.lw(8, 0, 6)
    a.lw(9, 4, 6)
    a.csrr(10, 0xC01)
    a.csrr(11, 0xC81)
    a.csrr(12, 0x344)
    a.lw(13, 4, 5)
    a.j("loop")
    return a.image().ljust(0x1000, b"\0")


@KINDS
@pytest.mark.filterwarnings("ignore:overflow encountered")  # only without the compiler
def test_any_time_against_any_deadline(kind: type) -> None:
    for now, deadline in itertools.product(TIMES, TIMES):
        dut: Any = MachineAdapter(time_program(now, deadline), kind=kind, ram_size=64 << 10)
        name = f"mtime {now:#x}, mtimecmp {deadline:#x}"
        lockstep_chunks(dut, dut.model(), (30, 1, 1, 120, 7), name=name)
