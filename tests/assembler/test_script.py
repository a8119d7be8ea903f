"""Linker scripts: the same program as GNU ld's, and errors that name the place."""

from __future__ import annotations

import random
import subprocess

import pytest

from assembler import AssemblyError, Source, assemble, parse_script
from assembler.script_nodes import ScriptError

from .gcc import LD_FLAGS, compile_c, gnu_ld, libgcc, needs_gcc
from .gnu import AS, FLAGS, LD, differences, needs_gnu, read_program, run
from .test_archive import MAIN, START

KERNEL = """
/* The usual script of a small kernel. */
OUTPUT_ARCH(riscv)
OUTPUT_FORMAT("elf32-littleriscv")
ENTRY(_start)
MEMORY { ram (rwx) : ORIGIN = 0x80000000, LENGTH = 1M }
SECTIONS {
  . = 0x80000000;
  .text : {
    *(.text.startup .text.startup.*)
    KEEP(*(.init)) *(.text .text.*)
    . = ALIGN(16); _etext = .;
  } > ram
  .rodata : { *(.rodata .rodata.*) *(.srodata*) } > ram
  . = ALIGN(4096);
  PROVIDE(_unused = .);
  .data : {
    _data = .; *(.data .data.*) *(.sdata*) BYTE(7) LONG(0x12345678) _edata = .;
  } > ram
  .bss (NOLOAD) : {
    __bss_start = .; *(.sbss*) *(.bss .bss.*) *(COMMON) . = ALIGN(16); _bss_end = .;
  } > ram
  _stack_top = . + 0x1000;
  /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
  ASSERT(_stack_top < 0x80100000, "too big")
}
"""
SOURCES = {
    "start.s": """
        .globl _start, shared_table
        .section .init, "ax"
        _start: la sp, stack
        call first
        lui a0, %hi(shared_end)
        .text
        nop
        .data
        shared_table: .word _start, first, shared_size
        .section .stack, "aw", @nobits
        .space 64
        stack:
        """,
    "other.s": """
        .globl first
        .section .text.first, "ax"
        first: ret
        .text
        nop
        nop
        .section .data.b, "aw"
        .byte 2
        .section .data.a, "aw"
        .balign 8
        .byte 1
        .section .rodata
        .asciz "constant"
        .bss
        .space 5
        .comm shared_buffer, 12, 8
        """,
}
SCRIPTS = {
    "sorted": """SECTIONS { .text 0x80000000 : { *(.init) *(SORT(.text*)) }
        .data : { *(SORT_BY_ALIGNMENT(.data.*)) *(.data) shared_end = .; }
        .bss : { *(.bss COMMON) *(.stack) }
        shared_size = SIZEOF(.data) + ALIGNOF(.data); }""",
    "files and exclusion": """SECTIONS { . = 0x80001000;
        .text : { *other*(.text*) *(EXCLUDE_FILE(*other*) .text* .init) }
        .all : { *(.data*) *(.rodata) *(.bss) *(COMMON) }
        .stack : { *(.stack) } shared_end = .; shared_size = ADDR(.all); }""",
    "load addresses and regions": """
        MEMORY { rom (rx) : ORIGIN = 0x80000000, LENGTH = 64K
                 ram (rw) : org = 0x80100000, len = 64K }
        SECTIONS {
        .text : { *(.init) *(.text*) *(.rodata) . = ALIGN(32); } > rom
        .data : { *(.data*) shared_end = .; } > ram AT > rom
        .bss : { *(.bss) *(COMMON) *(.stack) } > ram
        shared_size = LOADADDR(.data); }""",
    "arithmetic": """
        base = 1 ? 0x80000000 : 5; gap = (3 + 4 * 2 - 1) << 4 | 0x1 & ~0;
        SECTIONS { . = base; .text : { *(.init .text .text.*) . += gap; . = ALIGN(64); }
        .data ALIGN(0x100) : { *(.data .data.*) . = . + 4; shared_end = ABSOLUTE(.); }
        .bss (NOLOAD) : { *(.bss) *(COMMON) *(.stack) }
        .rodata : { *(.rodata) }
        shared_size = MAX(base, 7) - MIN(gap, 0x50) + DEFINED(first) + !0 ; }""",
    "data, fill and offsets": """SECTIONS { . = 0x80000000;
        .text : { *(.init) . = 0x40; *(.text*) } = 0x00000013
        .data : { FILL(0xaabbccdd) *(.data.b) . = ALIGN(16); QUAD(first) SHORT(1) *(.data*)
          shared_end = .; }
        .rodata : { *(.rodata) } .bss : { *(.bss) *(COMMON) *(.stack) }
        shared_size = SIZEOF(.text); PROVIDE(first = 4); PROVIDE_HIDDEN(other_one = .); }""",
    "forward references": """SECTIONS { . = 0x80000000; shared_size = shared_end - _begin;
        .text : { _begin = .; *(.init) *(.text*) *(.rodata) }
        .data : { *(.data*) } .bss : { *(.bss) *(COMMON) *(.stack) shared_end = .; } }""",
    "orphans": """SECTIONS { . = 0x80000000; .text : { *(.init) *(.text) *(.text.*) }
        .data : { *(.data) *(.data.*) } shared_end = .; shared_size = 4; }""",
}


@needs_gnu
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_program_as_gnu_ld(tmp_path, name):
    (tmp_path / "x.ld").write_text("ENTRY(_start)\n" + SCRIPTS[name])
    objects = []
    for file, text in SOURCES.items():
        (tmp_path / file).write_text(text)
        run([AS, *FLAGS, file, "-o", file[:-2] + ".o"], tmp_path)
        objects.append(file[:-2] + ".o")
    theirs = gnu_ld(tmp_path, "-T", "x.ld", *objects)
    image = assemble([Source(n, t) for n, t in SOURCES.items()], script=tmp_path / "x.ld")
    assert differences(read_program(image.to_elf()), read_program(theirs)) == []
    objcopy = "riscv64-unknown-elf-objcopy"
    subprocess.run([objcopy, "-O", "binary", "gnu.elf", "gnu.bin"], cwd=tmp_path, check=True)
    assert image.to_bin().rstrip(b"\0") == (tmp_path / "gnu.bin").read_bytes().rstrip(b"\0")


@needs_gcc
def test_c_with_a_script_is_placed_as_by_gnu_ld(tmp_path):
    made = compile_c(tmp_path, "main.c", MAIN, "-O2", "-g")
    (tmp_path / "start.s").write_text(START)
    run([AS, *FLAGS, "start.s", "-o", "start.o"], tmp_path)
    (tmp_path / "k.ld").write_text(KERNEL)
    theirs = read_program(gnu_ld(tmp_path, "-T", "k.ld", "start.o", made.name, libgcc(tmp_path)))
    image = assemble(
        [tmp_path / "start.s", made, libgcc(tmp_path)], script=Source("k.ld", KERNEL), debug=True
    )
    assert differences(read_program(image.to_elf()), theirs) == []


@needs_gnu
def test_addresses_and_symbols_on_the_command_line(tmp_path):
    text = ".globl _start\n_start: la a0, x\nla a1, given\n.data\nx: .word given\n.bss\n.space 4\n"
    (tmp_path / "a.s").write_text(text)
    run([AS, *FLAGS, "a.s", "-o", "a.o"], tmp_path)
    command = [LD, *LD_FLAGS, "-Ttext=0x80000000", "-Tdata=0x80100000", "-Tbss=0x80200000"]
    run([*command, "--defsym", "given=_start+(4<<2)", "a.o", "-o", "gnu.elf"], tmp_path)
    image = assemble(
        Source("a.s", text), defsyms={"given": "_start+(4<<2)"},
        section_addresses={".data": 0x8010_0000, ".bss": 0x8020_0000},
    )  # fmt: skip
    theirs = read_program((tmp_path / "gnu.elf").read_bytes())
    assert differences(read_program(image.to_elf()), theirs) == []


PLAIN = ".globl _start\n_start: nop\n.data\n.word 1\n"


@pytest.mark.parametrize(
    ("script", "message", "line"),
    [
        ("SECTIONS {\n .text : { *(.text) }", "never closed", 1),
        ("SECTIONS {\n . = 5\n .text : { *(.text) } }", "`;` is expected", 3),
        ("SECTION { }", "not a command", 1),
        ("INPUT(a.o)", "not supported", 1),
        ("SECTIONS { . = nowhere; .text : { *(.text) } }", "`nowhere` is not defined", 1),
        ("SECTIONS { .text : { *(.text) } > rum }", "no memory region `rum`", 1),
        ("MEMORY { ram : ORIGIN = 0, LENGTH = 2 }\nSECTIONS { .text : { *(.text) } > ram }",
         # The data goes on in the region: GNU ld says 6 as well.
         "overflows by 6 bytes", 1),
        ("SECTIONS { .text : { *(.text) . = 1; } }", "cannot go back", 1),
        ("SECTIONS { .text : { *(.text) }\nASSERT(0, \"no way\") }", "no way", 2),
        ("SECTIONS { . = 1 / 0; }", "division by zero", 1),
        ("SECTIONS { . = 1 << 99; }", "shift amount", 1),
        ("SECTIONS { . = ALIGN(3); }", "not a power of two", 1),
        ("SECTIONS { . = 0x1ffffffff; }", "outside of 32 bits", 1),
        ("SECTIONS { .text : { *(.text) . = . + 0x7fffffff; } }", "bytes of the file", 1),
        ("SECTIONS { x = SIZEOF(.nothing); .text : { *(.text) } }", "no section `.nothing`", 1),
        ("/* ", "never closed", 1),
        ("SECTIONS { .text : { *(.text } }", "expected", 1),
    ],
)  # fmt: skip
def test_mistakes_in_scripts(script, message, line):
    with pytest.raises(AssemblyError, match=message) as caught:
        assemble(Source("a.s", PLAIN), script=Source("x.ld", script))
    error = caught.value.errors[0]
    assert (error.file, error.line) == ("x.ld", line)
    assert error.column > 0


def test_mistakes_in_defsym():
    for text, message in (
        ("1 +", "expected"),
        ("nobody", "not defined"),
        ("1 2", "does not belong"),
    ):
        with pytest.raises(AssemblyError, match=message):
            assemble(Source("a.s", PLAIN), defsyms={"x": text})


@pytest.mark.parametrize("seed", range(3))
def test_any_text_ends_in_a_program_or_in_errors(seed):
    rng = random.Random(seed)
    scripts = [KERNEL, *SCRIPTS.values()]
    tokens = [t for s in scripts for t in s.split()]
    parsed = 0
    for _ in range(120):
        words = rng.choice(scripts).split()
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(words))
            words[at : at + rng.randint(0, 2)] = rng.choices(tokens, k=rng.randint(0, 3))
        text = " ".join(words)
        try:
            parse_script(text)
            parsed += 1
            assemble([Source(n, t) for n, t in SOURCES.items()], script=Source("x.ld", text))
        except (ScriptError, AssemblyError):
            continue
    assert 0 < parsed < 120
