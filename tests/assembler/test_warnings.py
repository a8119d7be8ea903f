"""Warnings: each finds its mistake and nothing else, and each can be turned off."""

from __future__ import annotations

from pathlib import Path

import pytest

from assembler import AssemblyError, Diagnostic, Source, assemble
from assembler.warnings import KINDS, settings

ROOT = Path(__file__).resolve().parents[2]


def warnings(text: str, *words: str) -> list[Diagnostic]:
    """The warnings of a source."""
    return assemble(Source("a.s", text), warnings=words).warnings


# name: (a source that deserves it, the marked text, sources that do not)
CASES = {
    "unreachable": (
        "_start: j _start\n    addi a0, a0, 1\n",
        "addi a0, a0, 1",
        [
            "_start: j _start\nx: nop\nj x\n",
            "_start: beqz a0, _start\nnop\n",
            "_start: ret\n.data\n.word 1\n.text\nf: nop\n.globl f\n",
            "_start: j _start\n1: nop\nj 1b\n",
            "_start: j _start\n.word 5\n",
            "_start: j _start\nj _start\nj _start\n",
            "_start: jal _start\nnop\n",
            "_start: jalr a0\nnop\n",
            "_start: ecall\nnop\n",
            "_start: call _start\nnop\n",
            ".macro m\nj _start\nnop\n.endm\n_start: m\n",
            "_start: j _start\n.balign 64\nnop\n",
        ],
    ),
    "data-in-code": (
        "_start: addi a0, a0, 1\n    .word 5\n",
        ".word 5",
        [
            "_start: j _start\n.word 5\n",
            "_start: ret\n.asciz \"x\"\n",
            "_start: nop\n.data\n.word 5\n",
            "_start: nop\n.insn 0x13\nnop\n.insn r OP, 0, 0, a0, a1, a2\n",
            "_start: tail _start\n.word 5\n",
            "_start: li a0, 'x'\nnop ; nop\n",
            "_start: ecall\n.word 5\n",
            "_start: mret\n.word 5\n",
            ".word 5\n_start: nop\n",
        ],
    ),
    "misaligned-data": (
        ".data\n.byte 1\n    .word 5\n",
        ".word",
        [
            ".data\n.byte 1\n.balign 4\n.word 5\n",
            ".data\n.byte 1\n.4byte 5\n",
            ".data\n.byte 1, 2\n.half 5\n",
            ".data\n.word 1\n.dword 5\n",
            ".section .note.x\n.byte 1\n.word 5\n",
        ],
    ),
    "write-x0": (
        "_start: add x0, a0, a1\n",
        "add x0, a0, a1",
        [
            "_start: nop\n",
            "_start: lw x0, 0(a0)\n",
            "_start: jal x0, _start\n",
            "_start: csrrw x0, mscratch, a0\n",
            "_start: amoadd.w x0, a0, (a1)\n",
            "_start: .insn r OP, 0, 0, x0, a0, a1\n",
            "_start: beq a0, a1, _start\nsw a0, 0(sp)\nfence\n",
        ],
    ),
    "stack-alignment": (
        "_start: addi sp, sp, -12\n",
        "addi sp, sp, -12",
        [
            "_start: addi sp, sp, -16\naddi sp, sp, 2032\n",
            "_start: addi a0, sp, 4\naddi sp, a0, 4\n",
        ],
    ),
    "unused-label": (
        "_start: nop\nlost: nop\n",
        "lost",
        [
            "_start: nop\n.globl lost\nlost: nop\n",
            "_start: nop\nused: j used\n",
            "_start: j 1f\n1: nop\n2: j 2b\n",
            "main: nop\n",
            ".macro m\nlost: nop\n.endm\nm\n",
            "_start: nop\n.data\nx: .word x\n",
            "_start: la a0, x\n.data\nx: .word 0\n",
            "_start: nop\n.data\nstart: .space 4\n.equ size, . - start\n",
        ],
    ),
    "truncated": ("_start: nop\n.data\n.byte 300\n", "300", [".data\n.byte -1, 255\n"]),
    "section-flags": (
        ".section odd\n.word 1\n",
        "odd",
        ['.section odd, "aw"\n.word 1\n', ".section .rodata\n.word 1\n"],
    ),
    "section-attributes": (
        '.section .data, "ax"\n.word 1\n',
        '"ax"',
        ['.section .data, "aw"\n.word 1\n'],
    ),
    "csr-missing": ("_start: csrr a0, fcsr\n", "fcsr", ["_start: csrr a0, mstatus\n"]),
    "empty-source": (
        "# nothing yet\n.equ SIZE, 4\n",
        "",
        ["_start: nop\n", ".bss\n.space 4\n", ".globl X\n.equ X, 4\n", ".comm x, 4\n"],
    ),
    "user": ('.warning "mind the gap"\n', ".warning", [".data\n"]),
}  # fmt: skip


def test_every_kind_has_a_case():
    assert set(CASES) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("name", CASES)
def test_it_is_found_marked_and_can_be_turned_off(name):
    text, mark, _ = CASES[name]
    (item,) = (w for w in warnings(text) if w.name == name)
    assert item.severity == "warning"
    assert item.source[item.column - 1 : item.end_column - 1] == mark
    assert item.render().startswith(f"warning[{name}]: ")
    assert name not in {w.name for w in warnings(text, f"no-{name}")}
    assert name not in {w.name for w in warnings(text, "none")}
    assert [w.name for w in warnings(text, "none", name)] == [name]
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", text), warnings=["none", f"error={name}"])
    assert [(e.severity, e.name) for e in caught.value.errors] == [("error", name)]


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, (_, _, fine) in CASES.items() for text in fine]
)
def test_what_is_fine_is_left_alone(name, text):
    assert warnings(text, "none", name) == []


def test_error_makes_all_of_them_errors():
    with pytest.raises(AssemblyError):
        assemble(Source("a.s", "_start: add x0, a0, a1\n"), warnings=["error"])
    assert warnings("_start: add x0, a0, a1\n", "error", "no-write-x0") == []


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match='did you mean "unreachable"'):
        settings(["unreachble"])
    with pytest.raises(ValueError, match="known are csr-missing"):
        settings(["no-zzzzzz"])


def test_a_file_without_any_text_is_told_apart():
    (item,) = warnings("\n  \n")
    assert (item.name, item.file, item.line) == ("empty-source", "a.s", 1)
    assert item.hint == "the file has no text: is it saved?"


def test_no_warnings_beside_errors_of_the_same_source():
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", "_start: j _start\nnop\nbad_word\n"))
    assert [d.severity for d in caught.value.diagnostics] == ["error"]


def test_a_line_in_a_repetition_warns_once():
    assert len(warnings("_start: nop\n.rept 9\nadd x0, a0, a0\n.endr\n")) == 1


def test_a_branch_that_grows_does_not_warn_twice():
    text = "_start: beq a0, a1, far\nadd x0, a0, a0\n.space 8192\nfar: nop\n"
    assert [w.name for w in warnings(text, "no-data-in-code")] == ["write-x0"]


def test_labels_of_included_files_may_be_unused(tmp_path):
    (tmp_path / "lib.inc").write_text("helper: ret\n")
    (tmp_path / "a.s").write_text('_start: j _start\n.include "lib.inc"\n')
    assert assemble(tmp_path / "a.s").warnings == []


def test_the_guests_have_none():
    from guestos import build, manifest

    found = [(name, w.render()) for name in manifest() for w in build(name).warnings]
    assert found == []


@pytest.mark.parametrize("kind", ["start.s", "solution.s"])
def test_the_lessons_have_none(kind):
    files = sorted((ROOT / "lessons").glob(f"*/{kind}"))
    assert files
    assert [w.render() for f in files for w in assemble(f).warnings] == []
