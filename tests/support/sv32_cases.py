"""Every kind of Sv32 access, as cases for a hart.

All leaf PTE bits (V R W X U A D) x four shapes of the walk x SUM x MXR x four
effective modes x six accesses: 49,152 cases (hardware updates A and D).

``image(cases)`` is a bare M-mode program that runs them one after another from
a table: it writes the PTEs, executes sfence.vma, enters the mode, touches the
page twice (cold, then warm TLB), and its handler reads the trap registers and
the PTEs back into registers, where a comparison sees them.  x27 is a checksum
over all of that, so that a difference in any case lasts to the end.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from tests.support.asm import Asm
from tests.support.programs import RAM_BASE

V, R, W, X, U, A, D = 1, 2, 4, 8, 16, 64, 128
BITS = (V, R, W, X, U, A, D)
SHAPES = ("4 KiB", "4 MiB", "misaligned 4 MiB", "pointer at level 0")
ACCESSES = ("fetch", "lw", "sw", "lr", "sc", "amo")
MODES = ("U", "S", "MPRV to U", "MPRV to S")
SUM, MXR, MPRV = 1 << 18, 1 << 19, 1 << 17

HANDLER, BY_MRET, BY_JUMP, CODE = (RAM_BASE + at for at in (0x400, 0x500, 0x540, 0x600))
ROOT, TABLE, PAGE, RECORDS = (RAM_BASE + at for at in (0x10000, 0x11000, 0x20000, 0x30000))
VA = 0x1002_0340  # its 4 MiB offset is PAGE's, so that both page sizes reach it
ROOT_PTE = ROOT + 4 * (VA >> 22)
TABLE_PTE = TABLE + 4 * (VA >> 12 & 0x3FF)
CODE_PTE = ROOT + 4 * (RAM_BASE >> 22)
DATUM = PAGE + (VA & 0xFFF)
ECALL = 0x0000_0073
RECORD = 32  # bytes
STEPS_PER_CASE = 56  # at most


class Case(NamedTuple):
    flags: int
    shape: str
    sum_: int
    mxr: int
    mode: str
    access: str


def all_cases() -> list[Case]:
    """All of them, in a fixed order."""
    flags = [sum(bits) for bits in itertools.product(*((0, bit) for bit in BITS))]
    return [
        Case(*case)
        for case in itertools.product(flags, SHAPES, (0, SUM), (0, MXR), MODES, ACCESSES)
    ]


def record(case: Case) -> bytes:
    """What the program needs: three PTEs, mstatus, where the access is, how to go there."""
    in_root = case.shape in ("4 MiB", "misaligned 4 MiB")
    target = {"4 MiB": RAM_BASE, "misaligned 4 MiB": RAM_BASE | 0x3000}.get(case.shape, PAGE)
    flags = case.flags
    if case.shape == "pointer at level 0":
        flags &= ~(R | W | X)
    leaf = target >> 12 << 10 | flags
    pointer = TABLE >> 12 << 10 | V
    code_flags = V | R | X | A | D | (U if case.mode == "U" else 0)
    mprv = case.mode.startswith("MPRV")
    words = (
        leaf if in_root else pointer,
        leaf,
        RAM_BASE >> 12 << 10 | code_flags,
        case.sum_ | case.mxr | (0x800 if case.mode.endswith("S") else 0) | (MPRV if mprv else 0),
        CODE + 0x40 * ACCESSES.index(case.access),
        BY_JUMP if mprv else BY_MRET,
        0,
        0,
    )
    return b"".join(word.to_bytes(4, "little") for word in words)


def _accesses(a: Asm) -> None:
    """One piece of code per access; x13 holds VA. Each ends in a trap to M-mode."""
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


def image(cases: list[Case]) -> bytes:
    """The program with its table of cases; it ends in a jump to itself."""
    a = Asm(RAM_BASE)
    a.li(5, 1 << 29)
    a.csrw(0x31A, 5)  # menvcfgh.ADUE, where it exists
    a.csrw(0x3A0, 0)
    a.addi(5, 0, -1)
    a.csrw(0x3B0, 5)
    a.addi(5, 0, 0x1F)
    a.csrw(0x3A0, 5)
    a.li(5, HANDLER)
    a.csrw(0x305, 5)
    for register, constant in (
        (7, 0x1234_5678),
        (10, 1 << 31 | ROOT >> 12),
        (13, VA),
        (20, RECORDS),
        (21, RECORDS + RECORD * len(cases)),
        (22, ROOT_PTE),
        (23, TABLE_PTE),
        (24, CODE_PTE),
        (25, DATUM),
        (26, ECALL),
        (27, 0),
        (28, 33),
    ):
        a.li(register, constant)
    a.label("next")
    for i, pte_address in enumerate((22, 23, 24)):
        a.lw(14, 4 * i, 20)
        a.sw(14, 0, pte_address)
    a.sw(26, 0, 25)
    a.sw(26, 4, 25)
    a.csrw(0x180, 10)
    a.sfence_vma()
    a.fence_i()
    a.lw(11, 12, 20)
    a.lw(12, 16, 20)
    a.lw(15, 20, 20)
    a.jalr(0, 15, 0)
    a.pad_to(HANDLER)
    a.csrw(0x300, 0)
    for register, number in ((14, 0x342), (15, 0x343), (16, 0x341)):
        a.csrr(register, number)
    for register, pte_address in ((17, 22), (18, 23), (19, 25)):
        a.lw(register, 0, pte_address)
    for register in (14, 15, 16, 17, 18, 19, 5, 6):
        a.mul(27, 27, 28)
        a.add(27, 27, register)
    a.addi(20, 20, RECORD)
    a.blt(20, 21, "next")
    a.label("end")
    a.j("end")
    a.pad_to(BY_MRET)
    a.csrw(0x341, 12)
    a.csrw(0x300, 11)
    a.mret()
    a.pad_to(BY_JUMP)
    a.csrw(0x300, 11)
    a.jalr(0, 12, 0)
    _accesses(a)
    code = a.image().ljust(RECORDS - RAM_BASE, b"\0")
    return code + b"".join(record(case) for case in cases)
