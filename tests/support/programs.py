"""Seeded random user-level programs.

``user_program(seed)`` makes RV32IMA code without traps: arithmetic on edge
values, bounded loops, forward branches, calls, loads and stores inside a
window (misaligned and page-crossing ones too), LR/SC pairs and AMOs.  It runs
in any mode and ends in a jump to itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.asm import AMOS, BRANCHES, LOADS, R_TYPE, SHIFTS, STORES, Asm

RAM_BASE = 0x8000_0000
RAM_SIZE = 1 << 20
WINDOW = 0x8000_8000
WINDOW_SIZE = 0x2000
WINDOW_MIDDLE = WINDOW + WINDOW_SIZE // 2  # a page boundary in reach of a 12-bit offset

EDGES = (
    0,
    1,
    2,
    0x7FF,
    0x800,
    0xFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0x8000_0001,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    0x0000_FFFF,
    0xFFFF_0000,
    0x5555_5555,
    0x0001_0000,
)
BASE_REGISTER, LOOP_REGISTER = 31, 30
IMMEDIATE_OPS = ("addi", "slti", "sltiu", "xori", "ori", "andi")


@dataclass(frozen=True)
class Program:
    """An image, where it goes, and how many steps it is worth running."""

    name: str
    image: bytes
    steps: int
    ram_size: int = RAM_SIZE
    base: int = RAM_BASE


def value(rng: random.Random) -> int:
    """A register value: an edge, a small number or anything."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(EDGES)
    if kind == 1:
        return rng.randrange(-64, 64) & 0xFFFF_FFFF
    return rng.getrandbits(32)


def immediate(rng: random.Random) -> int:
    """A 12-bit signed immediate, often at an edge."""
    return rng.choice((-2048, -1, 0, 1, 2047, rng.randrange(-2048, 2048)))


def offset(rng: random.Random) -> int:
    """An offset from the window's middle; sometimes across the page."""
    if rng.random() < 0.15:
        return rng.randrange(-4, 4)
    return rng.randrange(-2048, 2044)


class UserCode:
    """Builds one program; one method per kind of code."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"user {seed}")
        self.a = Asm(RAM_BASE)
        self.fresh = 0

    def reg(self) -> int:
        """Any register that code may write; x0 now and then."""
        return self.rng.randrange(30)

    def new_label(self) -> str:
        self.fresh += 1
        return f"l{self.fresh}"

    def alu(self) -> None:
        rng, a = self.rng, self.a
        kind = rng.randrange(10)
        if kind < 5:
            a.op(rng.choice(tuple(R_TYPE)), self.reg(), self.reg(), self.reg())
        elif kind < 7:
            a.op(rng.choice(IMMEDIATE_OPS), self.reg(), self.reg(), immediate(rng))
        elif kind < 8:
            a.op(rng.choice(tuple(SHIFTS)), self.reg(), self.reg(), rng.randrange(32))
        elif kind < 9:
            a.op(rng.choice(("lui", "auipc")), self.reg(), rng.getrandbits(20))
        else:
            a.li(self.reg(), value(rng))

    def memory(self) -> None:
        rng, a = self.rng, self.a
        if rng.random() < 0.5:
            a.op(rng.choice(tuple(LOADS)), self.reg(), offset(rng), BASE_REGISTER)
        else:
            a.op(rng.choice(tuple(STORES)), self.reg(), offset(rng), BASE_REGISTER)

    def atomic(self) -> None:
        """An AMO or an LR/SC pair on an aligned word of the window."""
        rng, a = self.rng, self.a
        address = rng.randrange(1, 30)
        a.addi(address, BASE_REGISTER, offset(rng) & ~3)
        kind = rng.randrange(4)
        if kind == 0:
            a.lr(self.reg_not(address), address, rng.randrange(4))
            if rng.random() < 0.3:
                a.addi(address, address, rng.choice((-4, 4)))
            a.sc(self.reg(), address, self.reg(), rng.randrange(4))
        elif kind == 1:
            a.sc(self.reg(), address, self.reg())
        else:
            name = rng.choice(tuple(AMOS))
            a.op(name, self.reg(), address, self.reg(), rng.randrange(4))

    def reg_not(self, other: int) -> int:
        return self.rng.choice([i for i in range(30) if i != other])

    def branch(self) -> None:
        """A forward branch over a few instructions."""
        rng, a = self.rng, self.a
        over = self.new_label()
        a.op(rng.choice(tuple(BRANCHES)), self.reg(), self.reg(), over)
        for _ in range(rng.randrange(1, 4)):
            self.alu()
        a.label(over)

    def call(self) -> None:
        """A forward jump by JAL, or by JALR through an address."""
        rng, a = self.rng, self.a
        over = self.new_label()
        link = self.reg()
        if rng.random() < 0.5:
            a.jal(link, over)
        else:
            target = rng.randrange(1, 30)
            a.la(target, over)
            # JALR clears the lowest bit of the sum.
            a.jalr(link, target, rng.randrange(2))
        self.alu()
        a.label(over)

    def loop(self) -> None:
        rng, a = self.rng, self.a
        again = self.new_label()
        a.li(LOOP_REGISTER, rng.randrange(1, 6))
        a.label(again)
        for _ in range(rng.randrange(1, 6)):
            rng.choice((self.alu, self.alu, self.memory, self.branch))()
        a.addi(LOOP_REGISTER, LOOP_REGISTER, -1)
        a.bne(LOOP_REGISTER, 0, again)

    def build(self, length: int) -> Asm:
        rng, a = self.rng, self.a
        for i in range(1, 30):
            a.li(i, value(rng))
        a.li(BASE_REGISTER, WINDOW_MIDDLE)
        parts = (self.alu,) * 5 + (self.memory,) * 3 + (self.atomic, self.branch, self.call)
        for _ in range(length):
            rng.choice(parts if rng.random() < 0.95 else (self.loop,))()
        a.label("end")
        a.j("end")
        return a


def user_program(seed: int, length: int = 60) -> Program:
    """Random user-level code and a window of random data."""
    code = UserCode(seed)
    image = code.build(length).image()
    image = image.ljust(WINDOW - RAM_BASE, b"\0") + code.rng.randbytes(WINDOW_SIZE)
    return Program(f"user {seed}", image, steps=60 + 3 * length)


CHAOS_BODY = RAM_BASE + 0x1000
CHAOS_WORDS = 0x1000  # 16 KiB of code
_CHAOS_FORBIDDEN = (0x105, 0x180, 0x305, 0x3A0, 0x3A1, 0x3A2, 0x3A3)


def _chaos_word(rng: random.Random, valid: tuple[int, ...]) -> int:
    """A real instruction, one with bits flipped, or noise."""
    kind = rng.randrange(10)
    if kind < 7:
        # Keep opcode and functions, change registers and the upper immediate.
        word = rng.choice(valid)
        if word & 0x7F in (0x37, 0x17, 0x6F, 0x67, 0x13, 0x03):
            mask = 0xFFF0_0F80 | 0x000F_8000
        elif word & 0x7F in (0x23, 0x63):
            mask = 0xFFFF_8F80
        else:
            mask = 0x01FF_8F80
        if word & 0x7F == 0x73:
            mask = 0x000F_8F80 if word >> 12 & 3 else 0
        return word & ~mask | rng.getrandbits(32) & mask
    if kind < 9:
        return rng.choice(valid) ^ (1 << rng.randrange(32)) ^ (1 << rng.randrange(32))
    return rng.getrandbits(32) | 3


def chaos_program(seed: int) -> Program:
    """Random words as code, in M-mode with everything reachable.

    The handler skips what traps and starts somewhere else when a fetch fails.
    Words that write satp, the trap vectors or the PMP are left out, and so are
    returns and wfi: nothing is protected, not even the handler.
    """
    rng = random.Random(f"chaos {seed}")
    a = Asm(RAM_BASE)
    a.la(5, "handler")
    a.csrw(0x305, 5)
    a.addi(5, 0, -1)
    a.csrw(0x3B0, 5)
    a.addi(5, 0, 0x1F)
    a.csrw(0x3A0, 5)
    for i in range(1, 32):
        a.li(
            i, rng.choice((value(rng), WINDOW_MIDDLE, CHAOS_BODY + 4 * rng.randrange(CHAOS_WORDS)))
        )
    a.li(1, CHAOS_BODY)
    a.jalr(0, 1, 0)
    a.label("handler")
    a.csrrw(31, 0x340, 31)
    a.csrr(31, 0x342)
    a.addi(31, 31, -2)
    a.sltiu(31, 31, 0x7FE)
    a.beq(31, 0, "restart")
    a.csrr(31, 0x341)
    a.addi(31, 31, 4)
    a.csrw(0x341, 31)
    a.csrrw(31, 0x340, 31)
    a.mret()
    a.label("restart")
    a.csrr(30, 0xB00)
    a.slli(30, 30, 20)
    a.srli(30, 30, 18)
    a.li(31, CHAOS_BODY)
    a.add(31, 31, 30)
    a.csrw(0x341, 31)
    a.li(31, 0x1800)
    a.csrrs(0, 0x300, 31)
    a.mret()
    code = a.image().ljust(CHAOS_BODY - RAM_BASE, b"\0")
    valid = tuple(word for seed in range(4) for word in UserCode(seed).build(60).words())
    words = []
    while len(words) < CHAOS_WORDS:
        word = _chaos_word(rng, valid)
        system = word & 0x7F == 0x73
        if system and (word >> 20 in _CHAOS_FORBIDDEN or not word >> 12 & 3):
            continue
        words.append(word)
    body = b"".join(word.to_bytes(4, "little") for word in words)
    return Program(f"chaos {seed}", code + body, steps=6000)
