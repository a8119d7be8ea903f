"""Directed tests of the model's decoder and arithmetic, from the manual's tables."""

from __future__ import annotations

import pytest

from tests.naive import NaiveHart
from tests.support.directed import execute, execute_word
from tests.support.naive_instructions import decode

MIN, MAX, ONES = 0x8000_0000, 0x7FFF_FFFF, 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("name", "a", "b", "result"),
    [
        # "Semantics for division by zero and division overflow" (table 7.1).
        ("divu", 7, 0, ONES),
        ("remu", 7, 0, 7),
        ("div", 7, 0, ONES),
        ("rem", 0xFFFF_FFF9, 0, 0xFFFF_FFF9),
        ("div", MIN, ONES, MIN),
        ("rem", MIN, ONES, 0),
        # "rounding towards zero"; "the sign of a nonzero result equals the
        # sign of the dividend".
        ("div", 0xFFFF_FFF9, 2, 0xFFFF_FFFD),
        ("rem", 0xFFFF_FFF9, 2, ONES),
        ("rem", 7, 0xFFFF_FFFE, 1),
        ("mulh", MIN, MIN, 0x4000_0000),
        ("mulhsu", ONES, ONES, ONES),
        ("mulhu", ONES, ONES, 0xFFFF_FFFE),
        ("mul", ONES, ONES, 1),
        # Shift amounts are "the lower 5 bits of register rs2".
        ("sll", 1, 33, 2),
        ("srl", MIN, 63, 1),
        ("sra", MIN, 31, ONES),
        ("slt", MIN, MAX, 1),
        ("sltu", MIN, MAX, 0),
        ("sub", 0, 1, ONES),
        ("add", ONES, 1, 0),
    ],
)
def test_register_operations(name: str, a: int, b: int, result: int) -> None:
    hart = NaiveHart(64)
    hart.x[1], hart.x[2] = a, b
    assert execute(hart, name, 3, 1, 2) is None
    assert hart.x[3] == result


def test_x0_is_never_written() -> None:
    hart = NaiveHart(64)
    execute(hart, "addi", 0, 0, 5)
    execute(hart, "jal", 0, 8)
    assert hart.x[0] == 0


def test_sltiu_compares_with_the_sign_extended_immediate() -> None:
    hart = NaiveHart(64)
    hart.x[1] = 0xFFFF_FFFE
    execute(hart, "sltiu", 2, 1, -1)
    assert hart.x[2] == 1


def test_jalr_clears_the_lowest_bit_and_reads_rs1_before_writing_rd() -> None:
    hart = NaiveHart(64)
    hart.x[1] = 0x8000_0010
    execute(hart, "jalr", 1, 1, 1)
    assert (hart.pc, hart.x[1]) == (0x8000_0010, 0x8000_0004)


@pytest.mark.parametrize(
    ("name", "operands"),
    [("jal", (1, 6)), ("jalr", (1, 0, 2)), ("beq", (0, 0, 6))],
)
def test_misaligned_target_traps_at_the_jump(name: str, operands: tuple[int, ...]) -> None:
    """ "the exception is reported on the branch or jump instruction" (2.5)."""
    hart = NaiveHart(64)
    assert execute(hart, name, *operands) == 0
    assert hart.mepc == 0x8000_0000
    assert hart.mtval == (2 if name == "jalr" else 0x8000_0006)
    assert hart.x[1] == 0


def test_branch_not_taken_does_not_mind_its_target() -> None:
    """ "... if the branch ... target is not ... aligned ... No ... exception is
    generated for a conditional branch that is not taken." (2.5.2)"""
    hart = NaiveHart(64)
    assert execute(hart, "bne", 0, 0, 6) is None


ILLEGAL = [
    0x0000_0000,
    0xFFFF_FFFF,
    0x0200_1013,  # SLLI with shamt[5]: "reserved" on RV32
    0x4000_1013,  # SLLI with funct7 0x20
    0x2000_5013,  # SRLI with funct7 0x10
    0x4000_4033,  # XOR with funct7 0x20
    0x0400_0033,  # OP, funct7 2
    0x0000_3003,  # LD
    0x0000_6003,  # LWU
    0x0000_3023,  # SD
    0x0000_2063,  # branch, funct3 2
    0x0000_1067,  # JALR, funct3 1
    0x0000_200F,  # MISC-MEM, funct3 2
    0x1010_202F,  # LR with rs2
    0x1000_302F,  # LR.D
    0x2800_202F,  # AMO, funct5 5
    0x0000_4073,  # SYSTEM, funct3 4
    0x0020_0073,  # URET
    0x0000_00F3,  # ECALL with rd
    0x0010_8073,  # EBREAK with rs1
    0x3020_00F3,  # MRET with rd
    0x1200_00F3,  # SFENCE.VMA with rd
    0x1600_0073,  # SINVAL.VMA
    0x2200_0073,  # HFENCE.VVMA
    0x7B20_0073,  # DRET
    0x0000_2007,  # FLW
    0x0000_001B,  # OP-IMM-32
]


@pytest.mark.parametrize("word", ILLEGAL, ids=hex)
def test_illegal_words(word: int) -> None:
    hart = NaiveHart(64)
    assert execute_word(hart, word) == 2
    assert hart.mtval == word
    assert hart.minstret == 0
    assert hart.steps == 1


@pytest.mark.parametrize("word", [0x0FF0_000F, 0x8330_000F, 0x0100_000F, 0xFFFF_8F8F, 0xFFFF_9F8F])
def test_fence_ignores_its_reserved_fields(word: int) -> None:
    hart = NaiveHart(64)
    assert execute_word(hart, word) is None
    assert hart.x == [0] * 32


def test_word_space_of_the_system_opcode() -> None:
    """With funct3 0 only the named words and SFENCE.VMA exist."""
    legal = [w << 20 | 0x73 for w in range(1 << 12) if decode(w << 20 | 0x73) is not None]
    sfence = [0x09 << 25 | rs2 << 20 | 0x73 for rs2 in range(32)]
    assert legal == sorted([0x73, 0x10_0073, 0x1020_0073, 0x1050_0073, 0x3020_0073, *sfence])
