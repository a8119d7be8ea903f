"""Every leaf entry, in every place, for every mode and access: bare and through shadow tables.

One guest works through a table of cases: it writes the page-table entries, fences, goes to the
mode, does the access twice (the second time with a warm TLB) and logs what came of it.  What must
come of it is computed case by case by the walker of the slow model.
"""

from __future__ import annotations

import itertools
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hypervisor.guests import BASE, ROOT, A, D, R, U, V, W, X, guest
from tests.hypervisor.twin import VARIANTS, check_whole
from tests.naive import NaiveHart
from tests.support.naive_memory import FETCH, LOAD, STORE, Trap
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

RAM = 8 << 20
DATA = BASE + 0x3F_F000
"""The page that the accesses reach.  It is the last one of its megapage: where an entry makes a
table of the pages of code, the word it finds there is zero."""
TABLE, CODE_TABLE_U, CODE_TABLE_S = ROOT + 0x1000, ROOT + 0x2000, ROOT + 0x3000
TARGET = 0x4000_0000 + (DATA - BASE)
CODE_U, CODE_S = 0x1000_0000, 0x2000_0000
CASES, LOG = BASE + 0x10_0000, BASE + 0x40_0000
CASE, ENTRY = struct.Struct("<4I"), struct.Struct("<5I")
ECALL = 0x73
LOADED = {"lw": ECALL, "lr": ECALL, "sc": 1, "amo": ECALL, "sw": 0, "fetch": 0}
KINDS = {"lw": LOAD, "sw": STORE, "lr": LOAD, "sc": STORE, "amo": STORE, "fetch": FETCH}
ACCESSES = tuple(KINDS)

SOURCE = f"""
    handler trapped
    open_pmp
    li   t0, SATP_MODE | ({ROOT} >> 12)
    csrw satp, t0
    li   s0, {CASES}
    li   s1, {LOG}
    li   s3, {ROOT} + 4 * ({TARGET} >> 22)
    li   s4, {TABLE} + 4 * (({TARGET} >> 12) & 1023)
    li   s5, {ECALL}
    li   s9, {TARGET}
case:
    beq  s0, s2, done
    lw   t0, 0(s0)
    sw   t0, 0(s3)
    lw   t0, 4(s0)
    sw   t0, 0(s4)
    sfence.vma
    li   s10, 0
    lw   t1, 12(s0)
    lw   t0, 8(s0)
    bltz t1, same_mode
    csrw mstatus, t0
    csrw mepc, t1
    mret
same_mode:
    csrw mstatus, t0
    jr   t1
done:
    pass

    .align 2
trapped:
    csrr t0, mcause
    sw   t0, 0(s1)
    csrr t0, mtval
    sw   t0, 4(s1)
    lw   t0, 0(s3)
    sw   t0, 8(s1)
    lw   t0, 0(s4)
    sw   t0, 12(s1)
    sw   s10, 16(s1)
    addi s0, s0, {CASE.size}
    addi s1, s1, {ENTRY.size}
    j    case

lw:
    lw   s10, 0(s9)
    lw   s10, 0(s9)
    ecall
sw:
    sw   s5, 0(s9)
    sw   s5, 0(s9)
    ecall
lr:
    lr.w s10, (s9)
    lr.w s10, (s9)
    ecall
sc:
    sc.w s10, s5, (s9)
    sc.w s10, s5, (s9)
    ecall
amo:
    amoor.w s10, zero, (s9)
    amoor.w s10, zero, (s9)
    ecall
fetch:
    jr   s9
"""


@dataclass(frozen=True)
class Case:
    """Where the entry stands, its word there, and who does what."""

    place: str
    root: int
    leaf: int
    status: int
    mode: int
    mprv: bool
    access: str


def pte(pa: int, bits: int) -> int:
    return pa >> 12 << 10 | bits


def entries(bits: int) -> Iterator[tuple[str, int, int]]:
    """(place, root word, leaf word) for the low eight bits of an entry."""
    pointer = pte(TABLE, V)
    yield "page", pointer, pte(DATA, bits)
    yield "page outside RAM", pointer, pte(0x9000_0000, bits)
    yield "page beyond 4 GiB", pointer, pte(DATA | 1 << 32, bits)
    yield "page of a device", pointer, pte(0x0200_0000, bits)
    yield "megapage", pte(BASE, bits), 0
    yield "misaligned megapage", pte(BASE | 1 << 12, bits), 0
    yield "pointer with reserved bits", pte(TABLE, bits & ~(R | W | X)), pte(DATA, 0xFF)
    yield "table outside RAM", pte(0x9000_0000, bits), 0


def cases() -> list[Case]:
    """Everything there is: bits, places, SUM, MXR, modes with and without MPRV, accesses."""
    out = []
    # V, R, W, X, U, A, D; G does not matter and follows A.
    for low in range(128):
        bits = low & 0x1F | (low & 0x60) << 1 | (low & 0x20)
        for place, root, leaf in entries(bits):
            for sum_bit, mxr, mode, mprv in itertools.product((0, 1), (0, 1), (0, 1), (0, 1)):
                status = mode << 11 | mprv << 17 | sum_bit << 18 | mxr << 19
                for access in ACCESSES:
                    if access != "fetch" or not mprv:
                        out.append(Case(place, root, leaf, status, mode, bool(mprv), access))
    return out


def run(kind: type, table: list[Case], **options: Any) -> Machine | Vm:
    computer = kind(ram=RAM, bios="none", **options)
    program = guest(SOURCE)
    computer.load(program)
    words = {
        ROOT + 4 * (CODE_U >> 22): pte(CODE_TABLE_U, V),
        ROOT + 4 * (CODE_S >> 22): pte(CODE_TABLE_S, V),
        CODE_TABLE_U: pte(BASE, V | R | X | U | A | D),
        CODE_TABLE_S: pte(BASE, V | R | X | A | D),
        DATA: ECALL,
    }
    for at, word in words.items():
        computer.write_phys(at, word.to_bytes(4, "little"))
    data = bytearray()
    for case in table:
        routine = program.symbols[case.access]
        if not case.mprv:
            routine += (CODE_S if case.mode else CODE_U) - BASE
        data += CASE.pack(case.root, case.leaf, case.status, routine)
    computer.write_phys(CASES, bytes(data))
    computer.set_x(18, CASES + len(data))
    stop = computer.run(100 * len(table) + 1000)
    assert (stop.reason, stop.code) == ("exit", 0), stop
    return computer


def log_of(computer: Machine | Vm, count: int) -> list[tuple[int, ...]]:
    data = computer.read_phys(LOG, ENTRY.size * count)
    assert data is not None
    return list(ENTRY.iter_unpack(data))


class Judge:
    """The model's walker, asked for one access at a time."""

    def __init__(self, ad_fault: bool = False) -> None:
        self.hart = NaiveHart(RAM, ad_fault=ad_fault)
        self.hart.write_csr(0x3BF, 0xFFFF_FFFF)
        self.hart.write_csr(0x3A3, 0x1F << 24)
        self.hart.satp = 1 << 31 | ROOT >> 12
        self.root_at = ROOT + 4 * (TARGET >> 22)
        self.leaf_at = TABLE + 4 * (TARGET >> 12 & 1023)
        self.msip = 0

    def expect(self, case: Case) -> tuple[int, ...]:
        """mcause, mtval, root and leaf entries afterwards, the loaded value."""
        hart = self.hart
        hart.ram_write(self.root_at, 4, case.root)
        hart.ram_write(self.leaf_at, 4, case.leaf)
        hart.ram_write(DATA, 4, ECALL)
        hart.mode, hart.mstatus = case.mode, case.status & ~(1 << 17)
        kind = KINDS[case.access]
        cause, tval, value = (11 if case.mprv else 8 + case.mode), 0, LOADED[case.access]
        try:
            pa = hart.translate(TARGET, kind, case.mode)
            device = pa >> 12 == 0x0200_0000 >> 12
            if not hart.in_ram(pa, 4) and not (device and case.access in ("lw", "sw")):
                raise Trap({FETCH: 1, LOAD: 5, STORE: 7}[kind], TARGET)
            if device:
                # The CLINT's first word: it reads 1 once something with bit 0 was stored there.
                value = self.msip if case.access == "lw" else 0
                self.msip |= case.access == "sw"
        except Trap as trap:
            cause, tval, value = trap.cause, trap.tval, 0
        return (
            cause,
            tval,
            hart.ram_read(self.root_at, 4),
            hart.ram_read(self.leaf_at, 4),
            value,
        )


@pytest.fixture(scope="module")
def table() -> list[Case]:
    return cases()


def test_the_table_is_complete(table: list[Case]) -> None:
    assert len(table) == 128 * 8 * 4 * (2 * 6 + 2 * 5)


def test_bare_and_shadow_agree_with_the_walker(table: list[Case]) -> None:
    bare, vm = run(Machine, table), run(Vm, table)
    ours, theirs = log_of(bare, len(table)), log_of(vm, len(table))
    judge = Judge()
    outcomes: dict[int, int] = {}
    for case, a, b in zip(table, ours, theirs, strict=True):
        assert a == b, f"{case}: bare {a}, virtualised {b}"
        expected = judge.expect(case)
        assert a == expected, f"{case}: {a}, expected {expected}"
        outcomes[a[0]] = outcomes.get(a[0], 0) + 1
    assert set(outcomes) == {1, 5, 7, 8, 9, 11, 12, 13, 15}
    assert isinstance(bare, Machine)
    assert isinstance(vm, Vm)
    check_whole(bare, vm)
    assert vm.host.intruders() == []
    for technique, shadow_mode in VARIANTS[1:]:
        other = run(Vm, table, technique=technique, shadow_mode=shadow_mode)
        assert isinstance(other, Vm)
        for case, a, b in zip(table, ours, log_of(other, len(table)), strict=True):
            assert a == b, f"{technique} {shadow_mode}, {case}: bare {a}, virtualised {b}"
        check_whole(bare, other)


def test_with_accessed_and_dirty_left_to_software(table: list[Case]) -> None:
    """The same table where an access that needs A or D set faults: all of it, or a drawn part."""
    if not os.environ.get("TOYVM_FULL"):
        table = random.Random("A and D by fault").sample(table, 12_000)
    judge = Judge(ad_fault=True)
    expected = [judge.expect(case) for case in table]
    variants = VARIANTS if os.environ.get("TOYVM_FULL") else VARIANTS[::3]
    for technique, shadow_mode in variants:
        vm = run(Vm, table, technique=technique, shadow_mode=shadow_mode, ad_fault=True)
        assert isinstance(vm, Vm)
        for case, right, seen in zip(table, expected, log_of(vm, len(table)), strict=True):
            assert seen == right, f"{technique} {shadow_mode}, {case}: {seen}, expected {right}"
        assert vm.host.intruders() == []
