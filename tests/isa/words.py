"""Instruction words for the comparisons: every opcode and function code, sampled operands."""

from __future__ import annotations

import random
from collections.abc import Iterator

from toyvm.isa.csr import CSRS
from toyvm.isa.table import INSNS

# Registers with a meaning of their own in some spelling, and two ordinary ones.
SPECIAL = (0, 1, 2, 5, 10, 31)


def all_functions(samples: int, seed: int) -> Iterator[int]:
    """Each of the 32 x 8 x 128 (opcode, funct3, funct7) with ``samples`` sets of registers."""
    rng = random.Random(seed)
    for opcode in range(3, 128, 4):
        for funct3 in range(8):
            for funct7 in range(128):
                fixed = opcode | funct3 << 12 | funct7 << 25
                yield fixed
                for _ in range(samples):
                    yield fixed | rng.randrange(32) << 7 | rng.randrange(1024) << 15


def all_system() -> Iterator[int]:
    """Each of the 4096 words of the SYSTEM opcode with funct3, rd and rs1 all 0."""
    for funct12 in range(4096):
        yield funct12 << 20 | 0x73


def instructions(samples: int, seed: int) -> Iterator[int]:
    """Words of every row: random, and with registers and immediates that have own spellings."""
    rng = random.Random(seed)
    for insn in INSNS:
        free = ~insn.mask & 0xFFFF_FFFF
        for _ in range(samples):
            yield insn.match | rng.getrandbits(32) & free
            word = rng.choice((0, 0xFFF, 0x0FF, 0x001, 0x004, rng.getrandbits(12))) << 20
            word |= rng.choice(SPECIAL) << 15 | rng.choice(SPECIAL) << 7
            if insn.fmt in ("R", "B", "S", "AMO", "SFENCE"):
                word = word & ~(0x1F << 20) | rng.choice(SPECIAL) << 20
            if insn.fmt in ("CSR", "CSRI"):
                word = word & 0xF_FFFF | rng.choice(CSRS).number << 20
            yield insn.match | word & free
