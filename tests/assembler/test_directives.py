"""Directives, macros, conditions and sections give the bytes that GNU as and ld give."""

from __future__ import annotations

import pytest

from assembler import AssemblyError, Source, assemble

from .cases import CASES
from .gnu import differences, gnu_link, needs_gnu, read_program


def start(text: str) -> str:
    """The text behind an entry point."""
    return ".globl _start\n_start:\n" + text


@needs_gnu
@pytest.mark.parametrize("name", CASES)
def test_equal_to_gnu(tmp_path, name):
    text = start(CASES[name])
    ours = read_program(assemble(Source("a.s", text)).to_elf())
    assert differences(ours, gnu_link(tmp_path, {"a.s": text})) == []


@needs_gnu
@pytest.mark.parametrize("text_size", [4, 0x4EC, 0xFFC, 0x1000, 0x1004, 0x1F00])
@pytest.mark.parametrize("data_size", [0, 4, 0x100, 0xF00, 0x1800])
@pytest.mark.parametrize("bss", ["", ".bss\n.space 20", ".bss\n.balign 4096\n.space 4100"])
def test_addresses_of_sections_are_those_of_ld(tmp_path, text_size, data_size, bss):
    text = start(f"""
        .space {text_size}
        .section .rodata
        .ascii "abc"
        .data
        .space {data_size}
        {bss}
        .text
        la a0, _end
        la a1, __bss_start
        """)
    ours = read_program(assemble(Source("a.s", text)).to_elf())
    assert differences(ours, gnu_link(tmp_path, {"a.s": text})) == []


@needs_gnu
def test_include_and_incbin(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.inc").write_text('.equ ONE, 1\n.include "two.inc"\n.word ONE\n')
    (tmp_path / "two.inc").write_text(".macro two\n.word 2\n.endm\n")
    (tmp_path / "blob.bin").write_bytes(bytes(range(50)))
    text = start("""
        .include "one.inc"
        two
        .data
        .incbin "blob.bin"
        .incbin "blob.bin", 10
        .incbin "blob.bin", 10, 5
        """)
    path = tmp_path / "main.s"
    path.write_text(text)
    includes = [tmp_path / "sub", tmp_path]
    ours = read_program(assemble(path, include_dirs=includes).to_elf())
    assert differences(ours, gnu_link(tmp_path, [path], includes)) == []


def test_code_alignment_is_kept_where_gnu_as_ignores_it():
    # GNU as leaves out .align up to the size of an instruction in code; ours does what it says.
    image = assemble(Source("a.s", '.asciz "hello"\n.align 2\nf: ret\n'))
    assert image.symbols["f"] % 4 == 0
    assert image.to_bin()[8:] == bytes.fromhex("67800000")


@needs_gnu
def test_gnu_as_really_ignores_it(tmp_path):
    text = start('.asciz "hello"\n.align 2\nf: ret\n')
    assert gnu_link(tmp_path, {"a.s": text}).symbols["f"] % 4 == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("li a0, 0x1ffffffff", "0x1ffffffff does not fit in 32 bits"),
        ("lw a0, a1", "`a1` is a register; an address is wanted here"),
        ("sw a0, a1, t0", "`a1` is a register, which `sw` cannot take here"),
    ],
)
def test_refused_although_gnu_as_takes_it(text, message):
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", text))
    assert caught.value.diagnostics[0].message == message


@needs_gnu
@pytest.mark.parametrize("text", ["li a0, 0x1ffffffff", "lw a0, a1"])
def test_gnu_as_really_takes_it(tmp_path, text):
    gnu_link(tmp_path, {"a.s": start(text + "\n.globl a1\n.data\na1: .word 0")})


def test_octal_character_constants_are_as_in_c():
    # GNU as takes '\\0' as the character 0, whose code is 48.
    assert assemble(Source("a.s", r".byte '\0', '\101', '\377', 1")).to_bin() == b"\0A\xff\1"


def test_slashes_begin_a_comment():
    image = assemble(Source("a.s", "nop // nothing\n// nor here\n"))
    assert image.to_bin() == bytes.fromhex("13000000")


def test_defines_are_symbols_of_every_source():
    sources = [Source("a.s", ".word N\n"), Source("b.s", ".ifdef N\n.word N + 1\n.endif\n")]
    assert assemble(sources, defines={"N": 6}).to_bin() == bytes([6, 0, 0, 0, 7, 0, 0, 0])


def test_messages_of_the_source():
    text = '.warning "take care"\n.print "hello"\nnop\n'
    image = assemble(Source("a.s", text))
    assert [(d.severity, d.message) for d in image.warnings] == [
        ("warning", "take care"),
        ("note", "hello"),
    ]
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", '.error "not like this"\n'))
    assert caught.value.diagnostics[0].message == "not like this"
