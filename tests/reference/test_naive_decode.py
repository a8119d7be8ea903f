"""The model's decoder against the project's table of instructions.

Both are written from the manual, apart from each other: each names words the
other forgot.
"""

from __future__ import annotations

import doctest
import random

from tests import naive
from tests.support.naive_instructions import decode as naive_decode
from toyvm.isa.decode import decode
from toyvm.isa.table import INSNS


def disagree(word: int) -> bool:
    return (naive_decode(word) is None) != (decode(word) is None)


def test_every_instruction_of_the_table_is_known() -> None:
    missing = [insn.mnemonic for insn in INSNS if naive_decode(insn.match) is None]
    assert missing == []


def test_every_opcode_and_function() -> None:
    """All of opcode, funct3 and funct7, with registers that are zero and not."""
    rng = random.Random("decode")
    wrong = []
    for opcode in range(128):
        for functions in range(1 << 10):
            word = functions >> 3 << 25 | (functions & 7) << 12 | opcode
            registers = rng.getrandbits(32) & 0x01FF_8F80
            some = rng.choice((0x0000_0F80, 0x000F_8000, 0x01F0_0000)) & registers
            wrong += [hex(w) for w in (word, word | registers, word | some) if disagree(w)]
    assert wrong == []


def test_single_bits_of_every_instruction() -> None:
    """Each instruction with each one and two of its bits flipped."""
    wrong = set()
    for insn in INSNS:
        for i in range(32):
            for j in range(i, 32):
                word = insn.match ^ (1 << i) ^ (0 if i == j else 1 << j)
                if disagree(word):
                    wrong.add(hex(word))
    assert wrong == set()


def test_examples_in_the_docstring() -> None:
    assert doctest.testmod(naive).failed == 0
