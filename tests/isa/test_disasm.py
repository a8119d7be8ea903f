"""The disassembler: spelling, symbols, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.isa.minias import assemble
from tests.isa.words import instructions
from toyvm.isa.disasm import disasm, fence_set, nearest, parse_fence_set
from toyvm.isa.insn import Insn
from toyvm.isa.table import INSNS

PC = 0x8000_0000


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0xFFF50513, "addi a0, a0, -1"),
        (0x00812503, "lw a0, 8(sp)"),
        (0x00050863, "beqz a0, 0x80000010"),
        (0x30002573, "csrr a0, mstatus"),
        (0x00500513, "li a0, 5"),
        (0x00008067, "ret"),
        (0x0000006F, "j 0x80000000"),
        (0x06C52FAF, "amoadd.w.aqrl t6, a2, (a0)"),
        (0x100525AF, "lr.w a1, (a0)"),
        (0x12050073, "sfence.vma a0"),
        (0x00000000, ".word 0x00000000"),
        (0xDEADBEEF & ~3, ".word 0xdeadbeec"),
        (0x0110008F, ".word 0x0110008f # fence w, w"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_spelling(word: int, text: str) -> None:
    assert disasm(word, PC) == text


def test_without_pseudo_instructions() -> None:
    assert disasm(0x00500513, PC, pseudo=False) == "addi a0, zero, 5"
    assert disasm(0x00008067, PC, pseudo=False) == "jalr zero, 0(ra)"
    assert disasm(0x00050863, PC, pseudo=False) == "beq a0, zero, 0x80000010"


def test_symbols_by_mapping_and_by_function() -> None:
    names = {0x8000_0008: "loop", 0x8000_0020: "end"}
    assert disasm(0x00050863, PC, names) == "beqz a0, 0x80000010 <loop+0x8>"
    assert disasm(0x00050463, PC, names) == "beqz a0, 0x80000008 <loop>"
    assert disasm(0x00050863, PC, nearest(names)) == "beqz a0, 0x80000010 <loop+0x8>"
    assert disasm(0x00050263, PC, names) == "beqz a0, 0x80000004"
    assert disasm(0x00050863, PC, lambda a: None) == "beqz a0, 0x80000010"
    assert disasm(0x00050863, PC, lambda a: f"at_{a:x}") == "beqz a0, 0x80000010 <at_80000010>"


def test_targets_wrap_around_the_address_space() -> None:
    assert disasm(0x0080006F, 0xFFFF_FFFC) == "j 0x4"
    assert disasm(0xFF9FF06F, 4) == "j 0xfffffffc"


@given(st.sampled_from(INSNS), st.integers(0, 0xFFFF_FFFF), st.integers(0, 1 << 30), st.booleans())
def test_text_assembles_to_the_same_word(insn: Insn, noise: int, page: int, pseudo: bool) -> None:
    word, pc = insn.match | noise & ~insn.mask, page * 4
    assert assemble(disasm(word, pc, pseudo=pseudo), pc) == [word]


@pytest.mark.parametrize("pseudo", [True, False])
def test_special_operands_assemble_to_the_same_word(pseudo: bool) -> None:
    for word in instructions(samples=100, seed=3):
        assert assemble(disasm(word, PC, pseudo=pseudo), PC) == [word], hex(word)


def test_fence_sets() -> None:
    assert [fence_set(b) for b in (15, 3, 8, 4, 2, 1, 0)] == ["iorw", "rw", "i", "o", "r", "w", "0"]
    assert all(parse_fence_set(fence_set(b)) == b for b in range(16))
    for text in ("", "wr", "x", "rww", "1"):
        with pytest.raises(ValueError, match="is not a set of accesses"):
            parse_fence_set(text)
