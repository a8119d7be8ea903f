"""Several sources in one program: local and shared symbols, weak ones, common storage."""

from __future__ import annotations

import pytest

from assembler import AssemblyError, Source, assemble

from .gnu import differences, gnu_link, needs_gnu, read_program

PROGRAMS = {
    "shared and local symbols": {
        "a.s": """
            .globl _start, table
            _start: call f
            local: la a0, table
            beq a0, a1, f
            j f
            lw a0, other_data
            sw a0, other_data + 4, t0
            .word f, local, other_data - 4
            .data
            table: .word local, f
            .section .rodata
            .asciz "a"
            """,
        "b.s": """
            .globl f, other_data
            local: nop
            f: la a1, local
            la a2, table
            ret
            .data
            .align 3
            other_data: .word local, table
            .byte 1
            .section .rodata
            .asciz "b"
            .bss
            .space 5
            """,
        "c.s": """
            .data
            .byte 7
            .bss
            .align 4
            .space 9
            .text
            local: nop
            """,
    },
    "weak gives way to strong": {
        "a.s": ".globl _start\n_start: call f\nla a0, v\n.weak f\nf: li a0, 1\nret\n.weak v\n",
        "b.s": ".globl f, v\nf: li a0, 2\nret\n.data\nv: .word 5\n",
    },
    "the first weak definition counts": {
        "a.s": ".globl _start\n_start: call f\n",
        "b.s": ".weak f\nf: li a0, 1\n",
        "c.s": ".weak f\nf: li a0, 2\n",
    },
    "common storage is merged": {
        "a.s": ".globl _start\n_start: la a0, buffer\nla a1, other\n.comm buffer, 10, 4\n",
        "b.s": """
            .comm buffer, 100, 16
            .comm other, 3
            .comm zed, 8
            .comm abc, 5
            .comm q, 64
            .bss
            .space 6
            """,
    },
    "a definition replaces common storage": {
        "a.s": ".globl _start\n_start: la a0, buffer\n.comm buffer, 10, 4\n",
        "b.s": ".globl buffer\n.data\n.space 3\nbuffer: .word 1\n",
    },
    "absolute symbols are shared": {
        "a.s": ".globl _start\n_start: lui a0, %hi(UART)\nlb a1, %lo(UART)(a0)\n.word UART+1\n",
        "b.s": ".globl UART\n.equ UART, 0x10000005\n",
    },
    "numeric labels do not leave their source": {
        "a.s": ".globl _start\n_start: 1: j 1b\nj 2f\n2: nop\n",
        "b.s": "2: nop\n1: j 1b\nj 2b\n",
    },
    "empty sections and alignment": {
        "a.s": ".globl _start\n_start: nop\n.data\n.align 6\n.text\n.align 4\n",
        "b.s": ".byte 1\n.data\n.byte 2\n",
        "c.s": "nop\n.data\n.align 3\n.byte 3\n",
    },
}


@needs_gnu
@pytest.mark.parametrize("name", PROGRAMS)
def test_equal_to_gnu(tmp_path, name):
    sources = PROGRAMS[name]
    image = assemble([Source(n, t) for n, t in sources.items()])
    assert differences(read_program(image.to_elf()), gnu_link(tmp_path, sources)) == []


@needs_gnu
def test_another_base(tmp_path):
    text = ".globl _start\n_start: la a0, x\nlui a1, %hi(x)\n.data\nx: .word x\n"
    image = assemble(Source("a.s", text), text_base=0x80400000)
    assert image.entry == 0x80400000
    gnu = gnu_link(tmp_path, {"a.s": text}, base=0x80400000)
    assert differences(read_program(image.to_elf()), gnu) == []


def test_a_symbol_of_another_source_must_be_global():
    with pytest.raises(AssemblyError):
        assemble([Source("a.s", "call f\n"), Source("b.s", "f: ret\n")])
    assemble([Source("a.s", "call f\n"), Source("b.s", ".globl f\nf: ret\n")])


def test_sections_go_where_they_are_told():
    image = assemble(
        Source("a.s", '_start: la a0, d\n.data\nd: .word 1\n.section .top, "aw"\n.word 2\n'),
        section_addresses={".data": 0x8010_0000, ".top": 0x8020_0000},
    )
    assert image.symbols["d"] == 0x8010_0000
    assert [s.addr for s in image.segments] == [0x8000_0000, 0x8010_0000, 0x8020_0000]
    assert image.segments[2].data == bytes([2, 0, 0, 0])


def test_entry():
    text = "first: nop\n.globl main\nmain: nop\n"
    assert assemble(Source("a.s", text)).entry == 0x8000_0000
    assert assemble(Source("a.s", text), entry="main").entry == 0x8000_0004
    assert assemble(Source("a.s", text), entry=0x8000_0004).entry == 0x8000_0004


def test_a_weak_symbol_nobody_defines_is_zero():
    image = assemble(Source("a.s", ".weak w\n_start: call w\n.word w\n"))
    assert image.to_bin()[8:12] == bytes(4)


def test_one_program_from_many_sources_is_the_same_each_time():
    sources = [Source(n, t) for n, t in PROGRAMS["shared and local symbols"].items()]
    assert assemble(sources).to_elf() == assemble(sources).to_elf()
