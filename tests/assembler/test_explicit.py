"""Directives that name relocations and symbols by hand: the objects are those of GNU as."""

from __future__ import annotations

import pytest

from assembler import Source, assemble, assemble_object, link

from .gnu import needs_gnu
from .objs import object_differences
from .test_diagnostics import errors
from .test_object import gnu_object

HEAD = ".globl foo\nfoo: nop\nnop\nnop\n"
OBJECTS = [
    ".reloc 4, R_RISCV_32, foo+8", ".reloc foo+4, R_RISCV_NONE", ".reloc 0, BFD_RELOC_32, und",
    ".reloc 0, R_RISCV_CALL, foo", ".reloc 0, R_RISCV_HI20, foo", ".reloc 0, R_RISCV_32, 5",
    ".reloc 0, R_RISCV_ADD32, foo\n.reloc 0, R_RISCV_SUB32, bar",
    ".data\nx: .word 1\n.text\n.reloc x, R_RISCV_32, foo", ".reloc 2f, r_riscv_32, foo\n2: nop",
    ".lsym a, 5\n.word a", ".globl a\n.lsym a, 5", ".lsym .La, 5",
    ".symver foo, foo@V1", ".symver foo, foo@@V1", ".symver foo, foo@@@V1\ncall foo",
    ".symver foo, bar@V1\n.symver foo, baz@V2", "call und\n.symver und, und@V1",
    "call und\n.symver und, und@@@V1", ".symver foo, foo@V1, local",
    ".symver foo, foo@V1, hidden", ".symver foo, foo@V1, remove", "x: nop\n.symver x, x@V1",
    ".weakref al, foo\n.word al", ".weakref al, tgt\n.word al", ".weakref al, tgt\n.word al, tgt",
    ".weakref al, tgt\n.word tgt", ".weakref al, tgt", ".weakref al, tgt\ncall al\n.globl tgt",
    ".weakref a, b\n.weakref b, c\nlui a0, %hi(a+4)", ".word al\n.weakref al, tgt",
    ".cfi_startproc\nnop\n.cfi_label lab\n.cfi_def_cfa_offset 16\n.globl lab\n.cfi_endproc\n"
    ".cfi_startproc\n.cfi_label lab2\n.cfi_def_cfa_offset 16\n.cfi_endproc\n.word lab, lab2",
    '.globl "a b"\n.type "a b", @function\n"a b": call "a b"\n.size "a b", . - "a b"',
    'lw a0, "a b"+4\n.data\n"a b": .word "a b", "foo"', '"q\\"x": .word "q\\"x"\n"1x": j "1x"',
    '.extern "und ef"\nbeqz a0, "und ef"\n.comm "x y", 8', '"foo2": nop\ncall foo2\ncall "foo2"',
]  # fmt: skip


@needs_gnu
@pytest.mark.parametrize("text", OBJECTS)
def test_the_object_is_that_of_gnu_as(tmp_path, text):
    source = HEAD + text + "\n"
    ours = assemble_object(Source("x.s", source)).to_elf()
    assert object_differences(ours, gnu_object(tmp_path, source)) == []


def test_a_written_relocation_is_applied_in_a_program():
    text = "_start: lui a0, 0\naddi a0, a0, 0\n.reloc 0, R_RISCV_HI20, x\n"
    text += ".reloc 4, R_RISCV_LO12_I, x\nplain: lui a0, %hi(x)\naddi a0, a0, %lo(x)\n"
    text += ".data\nx: .word 0\n.reloc x, R_RISCV_32, x+4\n"
    image = assemble(Source("a.s", text))
    code, data = (s.data for s in image.segments)
    assert code[:8] == code[8:16]
    assert int.from_bytes(data, "little") == image.symbols["x"] + 4


def test_an_alias_of_weakref_is_zero_if_nobody_defines_it_and_is_not_listed():
    first = Source("a.s", "_start: nop\n.weakref al, tgt\n.data\n.word al\n")
    image = assemble(first)
    assert bytes(image.segments[1].data) == bytes(4)
    assert "al" not in image.symbols
    image = link([first, Source("b.s", ".globl tgt\n.equ tgt, 77\n")])
    assert image.segments[1].data[0] == 77


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (".reloc 0, R_RISCV_23, x", 11, "`R_RISCV_23` is not a type of relocation"),
        (".reloc 99, R_RISCV_32, x", 8, "the offset 0x63 is outside section `.text`"),
        (".reloc 0, R_RISCV_64, x", 8, "R_RISCV_64 reaches behind its section"),
        (".reloc 0, R_RISCV_GOT_HI20, x", 11, "R_RISCV_GOT_HI20 is not supported"),
        (".reloc 0", 9, "a place and a type are needed here"),
        (".equiv x, 3", 8, "`x` is defined twice"),
        (".lsym y, x", 10, "an address is not a number before linking"),
        (".weakref y, y", 10, "`y` would stand for itself"),
        (".cfi_label y", 1, "`.cfi_label` stands outside a function"),
        (".symver x, y", 12, "`y` names no version"),
        ('la a0, "hello"', 8, '`"hello"` is a string, not a value'),
        ('li a0, "z" + 1', 8, '`"z"` is a string, not a value'),
        ('"": nop', 1, '`"":` is not an instruction, directive or macro'),
    ],
)
def test_mistakes_are_explained_at_their_place(line, column, message):
    (found,) = errors(f"_start:\nx: nop\n{line}\n")
    assert (found.line, found.column, found.message) == (3, column, message)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lw a0, [a1]", "memory is written offset(register), as in 0(a1)"),
        ("la a0, =x", "a name alone is meant: `la` loads the address of a label, `li` a number"),
        ("addi a0, a0, #-4", "`#` begins a comment; numbers stand without it"),
        ("syscall", "`ecall` asks the system"),
        ("muli a0, a0, 3", "`mul` takes registers only: li t0, 3 and then mul with t0"),
    ],
)
def test_what_other_assemblers_write_is_recognised(line, hint):
    assert [d.hint for d in errors(f"_start:\nx: {line}\n")] == [hint]
