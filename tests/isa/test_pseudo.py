"""The pseudo-instruction table and the syntax matcher."""

from __future__ import annotations

import pytest

from tests.isa.minias import assemble
from toyvm.isa import pseudo
from toyvm.isa.decode import encode
from toyvm.isa.op import Op
from toyvm.isa.pseudo import PSEUDOS, Pseudo
from toyvm.isa.syntax import bind, split_operands
from toyvm.isa.table import BY_MNEMONIC

# Tables 25.2 and 25.3 of the Unprivileged ISA 20211203, without those on floating point, and
# the ones beyond it that the RISC-V Assembly Programmer's Manual lists for the integer ISA.
MANUAL = """
la lla lb lh lw lbu lhu sb sh sw nop li mv not neg sext.b sext.h zext.b zext.h
seqz snez sltz sgtz sgt sgtu beqz bnez blez bgez bltz bgtz bgt ble bgtu bleu
j jal jr jalr ret call tail fence fence.tso sfence.vma unimp
rdinstret rdinstreth rdcycle rdcycleh rdtime rdtimeh
csrr csrw csrs csrc csrwi csrsi csrci
"""


def test_every_standard_mnemonic_has_a_row_and_there_are_no_others() -> None:
    assert {p.mnemonic for p in PSEUDOS} == set(MANUAL.split())


@pytest.mark.parametrize("row", PSEUDOS, ids=lambda p: p.syntax)
def test_each_line_of_an_expansion_is_a_real_instruction_over_the_operands(row: Pseudo) -> None:
    for line in row.expansion:
        mnemonic, _, rest = line.partition(" ")
        if mnemonic == ".word":
            continue
        bound = bind(BY_MNEMONIC[mnemonic].syntax, split_operands(rest))
        assert bound is not None, line
    used = " ".join(row.expansion)
    for name in row.operands:
        assert name in used


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nop", [encode(Op.ADDI)]),
        ("neg a0, a1", [encode(Op.SUB, rd=10, rs2=11)]),
        ("sext.b a0, a1", [encode(Op.SLLI, rd=10, rs1=11, shamt=24),
                           encode(Op.SRAI, rd=10, rs1=10, shamt=24)]),
        ("zext.h a0, a1", [encode(Op.SLLI, rd=10, rs1=11, shamt=16),
                           encode(Op.SRLI, rd=10, rs1=10, shamt=16)]),
        ("sgt a0, a1, a2", [encode(Op.SLT, rd=10, rs1=12, rs2=11)]),
        ("bleu a0, a1, 16", [encode(Op.BGEU, rs1=11, rs2=10, imm=16)]),
        ("jal 16", [encode(Op.JAL, rd=1, imm=16)]),
        ("jr a0", [encode(Op.JALR, rs1=10)]),
        ("jr -4(a0)", [encode(Op.JALR, rs1=10, imm=-4)]),
        ("jalr a0", [encode(Op.JALR, rd=1, rs1=10)]),
        ("jalr 8(a0)", [encode(Op.JALR, rd=1, rs1=10, imm=8)]),
        ("jalr t0, a0", [encode(Op.JALR, rd=5, rs1=10)]),
        ("jalr t0, a0, 8", [encode(Op.JALR, rd=5, rs1=10, imm=8)]),
        ("jalr t0, 8(a0)", [encode(Op.JALR, rd=5, rs1=10, imm=8)]),
        ("csrw mtvec, a0", [encode(Op.CSRRW, csr=0x305, rs1=10)]),
        ("sfence.vma a0", [encode(Op.SFENCE_VMA, rs1=10)]),
        ("fence", [0x0FF0000F]),
        ("fence.tso", [0x8330000F]),
    ],
)  # fmt: skip
def test_expansions(line: str, words: list[int]) -> None:
    assert assemble(line, 0) == words


def test_a_mnemonic_with_the_wrong_operands_has_no_row() -> None:
    assert pseudo.find("mv", ["a0"]) is None
    assert pseudo.find("ret", ["a0"]) is None
    assert pseudo.find("addi", ["a0", "a0", "1"]) is None
    assert pseudo.expand("nosuch", []) is None


def test_a_load_from_a_symbol_is_not_a_load_from_a_register() -> None:
    found = pseudo.find("lw", ["a0", "counter"])
    assert found is not None
    assert found[0].computed
    assert found[1] == {"rd": "a0", "symbol": "counter"}
    assert pseudo.find("lw", ["a0", "4(sp)"]) is None
    assert bind("lw rd, imm(rs1)", ["a0", "counter"]) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  ", []),
        ("a0", ["a0"]),
        ("a0, 4(sp)", ["a0", "4(sp)"]),
        ("a0, %lo(f(1, 2))(sp) ,x", ["a0", "%lo(f(1, 2))(sp)", "x"]),
        ("',', \"a,b\"", ["','", '"a,b"']),
        ("a0,", ["a0", ""]),
    ],
)
def test_operands_are_split_at_outer_commas(text: str, parts: list[str]) -> None:
    assert split_operands(text) == parts


@pytest.mark.parametrize(
    ("syntax", "operands", "bound"),
    [
        ("lw rd, imm(rs1)", ["a0", "8(sp)"], {"rd": "a0", "imm": "8", "rs1": "sp"}),
        ("lw rd, imm(rs1)", ["a0", "(sp)"], {"rd": "a0", "imm": "0", "rs1": "sp"}),
        ("lw rd, imm(rs1)", ["a0", "%lo(x)(sp)"], {"rd": "a0", "imm": "%lo(x)", "rs1": "sp"}),
        ("lw rd, imm(rs1)", ["a0", "%lo(x)"], None),
        ("lr.w rd, (rs1)", ["a0", "(a1)"], {"rd": "a0", "rs1": "a1"}),
        ("lr.w rd, (rs1)", ["a0", "0(a1)"], {"rd": "a0", "rs1": "a1"}),
        ("lr.w rd, (rs1)", ["a0", "4(a1)"], None),
        ("addi rd, rs1, imm", ["a0", "a1", "%lo(x)"], {"rd": "a0", "rs1": "a1", "imm": "%lo(x)"}),
        ("addi rd, rs1, imm", ["a0", "a1"], None),
        ("ecall", [], {}),
    ],
)
def test_binding(syntax: str, operands: list[str], bound: dict[str, str] | None) -> None:
    assert bind(syntax, operands) == bound
