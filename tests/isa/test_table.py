"""The instruction table: complete, free of overlaps, and right against known words."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyvm.isa.decode import decode, encode, field_range, find
from toyvm.isa.insn import Insn
from toyvm.isa.op import Op
from toyvm.isa.table import BY_MNEMONIC, BY_OP, INSNS, MASK, MATCH

WORDS = st.integers(0, 0xFFFF_FFFF)

# Words that GNU as 2.40 gives for these instructions.
KNOWN = {
    0x00000013: (Op.ADDI, {}),
    0xFF010113: (Op.ADDI, {"rd": 2, "rs1": 2, "imm": -16}),
    0x00812423: (Op.SW, {"rs1": 2, "rs2": 8, "imm": 8}),
    0x00C12083: (Op.LW, {"rd": 1, "rs1": 2, "imm": 12}),
    0x00008067: (Op.JALR, {"rs1": 1}),
    0xFE0318E3: (Op.BNE, {"rs1": 6, "imm": -16}),
    0xFFDFF06F: (Op.JAL, {"imm": -4}),
    0x800000B7: (Op.LUI, {"rd": 1, "imm": 0x80000}),
    0x00000517: (Op.AUIPC, {"rd": 10}),
    0x41F55513: (Op.SRAI, {"rd": 10, "rs1": 10, "shamt": 31}),
    0x02B50533: (Op.MUL, {"rd": 10, "rs1": 10, "rs2": 11}),
    0x02B57533: (Op.REMU, {"rd": 10, "rs1": 10, "rs2": 11}),
    0x100525AF: (Op.LR_W, {"rd": 11, "rs1": 10}),
    0x18C525AF: (Op.SC_W, {"rd": 11, "rs1": 10, "rs2": 12}),
    0x0FF0000F: (Op.FENCE, {"pred": 15, "succ": 15}),
    0x8330000F: (Op.FENCE, {"fm": 8, "pred": 3, "succ": 3}),
    0x0000100F: (Op.FENCE_I, {}),
    0x00000073: (Op.ECALL, {}),
    0x00100073: (Op.EBREAK, {}),
    0x30200073: (Op.MRET, {}),
    0x10200073: (Op.SRET, {}),
    0x10500073: (Op.WFI, {}),
    0x12000073: (Op.SFENCE_VMA, {}),
    0xC0001073: (Op.CSRRW, {"csr": 0xC00}),
    0x30047073: (Op.CSRRCI, {"csr": 0x300, "uimm": 8}),
}


def test_ops_are_dense_from_one_and_every_op_has_its_row_in_order() -> None:
    assert [int(op) for op in Op] == list(range(1, len(Op) + 1))
    assert [i.op for i in INSNS] == list(Op)
    assert len(MASK) == len(MATCH) == len(Op) + 1


def test_there_are_as_many_instructions_as_the_manual_lists() -> None:
    # Chapter 24: RV32I 40 with ecall, ebreak and fence; Zifencei 1; Zicsr 6; M 8; A 11.
    # Privileged: mret, sret, wfi, sfence.vma.
    assert len(INSNS) == 40 + 1 + 6 + 8 + 11 + 4


@pytest.mark.parametrize("insn", INSNS, ids=lambda i: i.mnemonic)
def test_mnemonic_and_operands_belong_to_the_op_and_its_encoding(insn: Insn) -> None:
    assert insn.mnemonic == insn.op.mnemonic
    assert set(insn.operands) <= insn.fields
    assert insn.match & ~insn.mask == 0


def test_no_two_rows_match_the_same_word() -> None:
    assert not [
        (a, b) for a, b in combinations(INSNS, 2) if not (a.match ^ b.match) & a.mask & b.mask
    ]


@pytest.mark.parametrize(("word", "known"), KNOWN.items(), ids=[hex(w) for w in KNOWN])
def test_known_words(word: int, known: tuple[Op, dict[str, int]]) -> None:
    op, fields = known
    decoded = decode(word)
    assert decoded is not None
    assert decoded.op is op
    assert {
        name: getattr(decoded, name) for name in BY_OP[op].fields if getattr(decoded, name)
    } == fields
    assert encode(op, **fields) == word


@given(st.sampled_from(INSNS), st.data())
def test_fields_survive_encode_and_decode(insn: Insn, data: st.DataObject) -> None:
    fields = {}
    for name in sorted(insn.fields):
        low, high, step = field_range(insn, name)
        fields[name] = step * data.draw(st.integers(-(-low // step), high // step), label=name)
    decoded = decode(encode(insn.op, **fields))
    assert decoded is not None
    assert decoded.insn is insn
    assert {name: getattr(decoded, name) for name in fields} == fields


@given(st.sampled_from(INSNS), WORDS)
def test_words_survive_decode_and_encode(insn: Insn, noise: int) -> None:
    word = insn.match | noise & ~insn.mask
    decoded = decode(word)
    assert decoded is not None
    assert decoded.insn is insn
    assert encode(insn.op, **{name: getattr(decoded, name) for name in insn.fields}) == word


@given(WORDS)
def test_decoding_agrees_with_the_mask_and_match_arrays(word: int) -> None:
    matching = [op for op in range(len(MASK)) if word & MASK[op] == MATCH[op]]
    found = find(word)
    assert matching == ([found.op] if found else [])


@pytest.mark.parametrize(
    ("op", "fields", "message"),
    [
        (Op.ADDI, {"imm": 2048}, "addi: imm 2048 is outside -2048 to 2047"),
        (Op.ADDI, {"imm": -2049}, "addi: imm -2049 is outside -2048 to 2047"),
        (Op.SW, {"imm": 2048}, "sw: imm 2048 is outside -2048 to 2047"),
        (Op.BEQ, {"imm": 4096}, "beq: imm 4096 is outside -4096 to 4094"),
        (Op.BEQ, {"imm": 3}, "beq: imm 3 is not a multiple of 2"),
        (Op.JAL, {"imm": 1 << 20}, "jal: imm 1048576 is outside -1048576 to 1048574"),
        (Op.LUI, {"imm": 1 << 20}, "lui: imm 1048576 is outside 0 to 1048575"),
        (Op.LUI, {"imm": -1}, "lui: imm -1 is outside 0 to 1048575"),
        (Op.SLLI, {"shamt": 32}, "slli: shamt 32 is outside 0 to 31"),
        (Op.ADD, {"rd": 32}, "add: rd 32 is outside 0 to 31"),
        (Op.CSRRWI, {"uimm": 32}, "csrrwi: uimm 32 is outside 0 to 31"),
        (Op.CSRRW, {"csr": 4096}, "csrrw: csr 4096 is outside 0 to 4095"),
        (Op.LR_W, {"aq": 2}, "lr.w: aq 2 is outside 0 to 1"),
        (Op.FENCE, {"pred": 16}, "fence: pred 16 is outside 0 to 15"),
        (Op.ADD, {"imm": 1}, "add has no field 'imm': it is 'add rd, rs1, rs2'"),
    ],
)
def test_a_field_out_of_range_is_named(op: Op, fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(") + "$"):
        encode(op, **fields)


def test_reserved_fields_of_fences_are_accepted() -> None:
    # Section 2.7 and chapter 3: base implementations ignore fm, rd, rs1 and imm.
    for op, bits in ((Op.FENCE, 0xFFFF_8F80), (Op.FENCE_I, 0xFFFF_8F80)):
        decoded = decode(MATCH[op] | bits)
        assert decoded is not None
        assert decoded.op is op


@pytest.mark.parametrize(
    "word",
    [
        0x00000000,  # all zeros and all ones are never an instruction (section 1.5)
        0xFFFFFFFF,
        0x00004501,  # a 16-bit instruction (low bits not 11)
        0x02051513,  # slli with bit 5 of the shift amount: RV64 only
        0x0000300F,  # a fence of no kind
        0x101525AF,  # lr.w with rs2 not 0
        0x30200173,  # mret with rd not 0
        0x00200073,  # uret
        0x12000173,  # sfence.vma with rd not 0
        0x00003003,  # ld: RV64
    ],
    ids=hex,
)
def test_words_that_are_no_instruction(word: int) -> None:
    assert decode(word) is None


def test_mnemonics_are_unique() -> None:
    assert len(BY_MNEMONIC) == len(INSNS)


def test_the_tables_load_neither_a_compiler_nor_a_user_interface() -> None:
    code = (
        "import sys, toyvm.isa.disasm, toyvm.isa.doc; "
        "print(sorted({'numba', 'numpy', 'llvmlite', 'rich', 'prompt_toolkit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
