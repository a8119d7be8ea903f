"""The image: ELF that other tools read, flat binary, symbols, lines and listing."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from elftools.elf.elffile import ELFFile

from assembler import Image, Source, assemble

from .gnu import OBJDUMP, READELF, needs_gnu

TEXT = """\
    .globl _start
_start:
    li   a0, 0x12345678
    call helper
.Lhidden:
    ret
    .type helper, @function
helper:
    la   a1, message
1:  beqz a1, 1b
    ret
    .size helper, . - helper
    .section .rodata
message:
    .asciz "hi!"
    .data
    .globl counter
counter:
    .word 1, 2
    .bss
buffer:
    .space 100
"""


@pytest.fixture
def image() -> Image:
    return assemble(Source("prog.s", TEXT))


def test_elf_as_pyelftools_reads_it(image):
    elf = ELFFile(io.BytesIO(image.to_elf()))
    assert elf.elfclass == 32
    assert elf.little_endian
    assert elf["e_machine"] == "EM_RISCV"
    assert elf["e_type"] == "ET_EXEC"
    assert elf["e_entry"] == image.entry == 0x8000_0000
    loads = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
    assert [(s["p_vaddr"], s["p_memsz"], s["p_flags"], s.data()) for s in loads] == [
        (s.addr, s.memsz, s.flags, s.data) for s in image.segments
    ]
    for s in loads:
        assert s["p_offset"] % 0x1000 == s["p_vaddr"] % 0x1000
        assert s["p_align"] == 0x1000
    assert [s["p_flags"] for s in loads] == [5, 6]
    text = elf.get_section_by_name(".text")
    assert text["sh_flags"] == 6
    assert text.data() == image.segments[0].data[: text["sh_size"]]
    bss = elf.get_section_by_name(".bss")
    assert (bss["sh_type"], bss["sh_size"]) == ("SHT_NOBITS", 100)
    symbols = {s.name: s for s in elf.get_section_by_name(".symtab").iter_symbols()}
    assert symbols["_start"]["st_info"]["bind"] == "STB_GLOBAL"
    assert symbols["helper"]["st_info"]["type"] == "STT_FUNC"
    assert symbols["helper"]["st_size"] == 16
    assert symbols["buffer"]["st_value"] == bss["sh_addr"]
    assert symbols["prog.s"]["st_info"]["type"] == "STT_FILE"
    assert ".Lhidden" not in symbols


def test_readelf_and_objdump_have_nothing_to_say_against_it(image, tmp_path):
    if READELF is None or OBJDUMP is None:
        pytest.skip("riscv64-unknown-elf binutils are not installed")
    path = tmp_path / "prog.elf"
    path.write_bytes(image.to_elf())
    done = subprocess.run([READELF, "-aW", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "rv32i2p1_m2p0_a2p1_zicsr2p0_zifencei2p0" in done.stdout
    done = subprocess.run([OBJDUMP, "-d", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "<helper>" in done.stdout
    assert "lui\ta0,0x12345" in done.stdout


@needs_gnu
def test_a_program_without_data_or_symbols_is_fine_too(tmp_path):
    path = tmp_path / "x.elf"
    for text in ("", "nop\n", ".bss\n.space 8\n", ".data\n.byte 1\n", '.section .odd, ""\n.byte 1'):
        path.write_bytes(assemble(Source("x.s", text)).to_elf())
        done = subprocess.run([READELF, "-aW", path], capture_output=True, text=True, check=True)
        assert done.stderr == ""


def test_flat_binary_and_segments(image):
    code, data = image.segments
    flat = image.to_bin()
    assert flat[: len(code.data)] == code.data
    assert flat[data.addr - code.addr :] == data.data == bytes([1, 0, 0, 0, 2, 0, 0, 0])
    assert data.memsz == image.symbols["buffer"] + 100 - data.addr
    far = assemble(Source("a.s", "nop\n.data\n.word 1\n"), section_addresses={".data": 0xC000_0000})
    with pytest.raises(ValueError, match="use ELF"):
        far.to_bin()


def test_symbols(image):
    assert image.symbols["_start"] == 0x8000_0000
    assert image.symbols["helper"] == 0x8000_0014
    assert image.symbol_at(0x8000_0014) == ("helper", 0)
    assert image.symbol_at(0x8000_001C) == ("helper", 8)
    assert image.symbol_at(0x8000_0004) == ("_start", 4)
    assert image.symbol_at(image.symbols["buffer"] + 99) == ("buffer", 99)
    assert image.symbol_at(0x7FFF_FFFF) is None
    assert image.symbol_at(0x9000_0000) is None


def test_global_symbols_win_over_local_ones_of_the_same_name():
    sources = [Source("a.s", "x: nop\n"), Source("b.s", ".globl x\nx: nop\n")]
    assert assemble(sources).symbols["x"] == 0x8000_0004


def test_lines(image):
    assert image.lines[0] == (0x8000_0000, "prog.s", 3)
    assert image.line_at(0x8000_0000) == ("prog.s", 3)
    assert image.line_at(0x8000_0004) == ("prog.s", 3)
    assert image.line_at(0x8000_0008) == ("prog.s", 4)
    assert image.line_at(0x8000_000F) == ("prog.s", 4)
    assert image.line_at(0x8000_0020) == ("prog.s", 11)
    assert image.line_at(0x8000_1000 - 4) is None
    assert image.address_of("prog.s", 8) == 0x8000_0014
    assert image.address_of("prog.s", 10) == 0x8000_001C
    assert image.address_of("prog.s", 999) is None
    assert image.address_of("other.s", 3) is None


def test_lines_of_macros_and_repetitions():
    text = ".macro two\nnop\nnop\n.endm\ntwo\n.rept 2\nnop\n.endr\n"
    image = assemble(Source("m.s", text))
    assert [image.line_at(0x8000_0000 + 4 * i) for i in range(4)] == [
        ("m.s", 5), ("m.s", 5), ("m.s", 7), ("m.s", 7),
    ]  # fmt: skip


def test_listing(image):
    lines = image.listing().split("\n")
    assert lines[0] == "# prog.s"
    assert "80000000 3755341213058567     3      li   a0, 0x12345678" in lines
    at = next(i for i, line in enumerate(lines) if "call helper" in line)
    assert lines[at].startswith("80000008 97000000e780c000")
    assert "auipc ra, 0x0" in lines[at + 1]
    assert "jalr 12(ra)" in lines[at + 2]
    assert next(x for x in lines if ".asciz" in x).startswith("80000024 68692100 ")


def test_the_listing_shows_expanded_macros():
    text = ".macro inc r, n=1\naddi \\r, \\r, \\n\n.endm\ninc a0\ninc a1, 5\n"
    shown = assemble(Source("m.s", text)).listing()
    assert "addi a0, a0, 1" in shown
    assert "addi a1, a1, 5" in shown


def test_importing_it_loads_neither_numba_nor_a_ui():
    code = (
        "import sys, assembler; assembler.assemble(assembler.Source('a.s', 'nop'));"
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'numba', 'llvmlite', 'rich', 'prompt_toolkit', 'numpy', 'typer'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_listing_shows_what_pseudo_instructions_stand_for():
    text = "_start: li a0, 5\nadd a0, a0, a1\nret\n.macro one\nla a1, _start\n.endm\none\n"
    text += ".word 7, 8\n"
    lines = assemble(Source("p.s", text)).listing().split("\n")
    assert lines[1:4] == [
        "80000000 13055000             1  _start: li a0, 5",
        "80000000 00500513             =    addi a0, zero, 5",
        "80000004 3305b500             2  add a0, a0, a1",
    ]
    assert "80000008 00008067             =    jalr zero, 0(ra)" in lines
    assert "8000000c 00000597             =    auipc a1, 0x0" in lines
    assert "80000010 ff458593             =    addi a1, a1, -12" in lines
    assert not any("=" in line for line in lines[-3:] if ".word" in line)
    assert any(x.startswith("80000014 0700000008000000     8  .word 7, 8") for x in lines)
