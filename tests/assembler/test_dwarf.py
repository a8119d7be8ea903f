"""Line information and unwinding tables, beside GNU as, readelf, objdump, gdb and pyelftools."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import guestos.images
from assembler import Source, assemble, assemble_object
from guestos.listing import manifest

from .gcc import GCC, GCC_FLAGS, LD_FLAGS, compile_c, needs_gcc
from .gnu import AS, FLAGS, LD, OBJDUMP, READELF, needs_gnu, run
from .objs import described, object_differences
from .test_object import gnu_object

GDB = shutil.which("gdb-multiarch")

INCLUDE = """
.macro twice r
 addi \\r, \\r, 1
 addi \\r, \\r, 2
.endm
shared: nop
 ret
"""
LINES = """ .include "part.inc"
 .globl _start
_start:
 la a0, x
 twice a0
 .rept 2
 nop
 .endr
 j 1f
 .word 5
1: nop; nop
 .section .text2, "ax"
f: li a0, 0x12345678
 .macro deep
 twice a1
 .endm
 deep
 ret
 .space 70000
 nop
 .data
x: .word 1
"""
FRAMES = """
f:
 .cfi_startproc
 addi sp,sp,-16
 .cfi_def_cfa_offset 16
 sw ra,12(sp)
 .cfi_offset ra, -4
 .cfi_offset s0, -8
 .cfi_remember_state
 .space 100
 .cfi_def_cfa s0, 32
 .space 300
 .cfi_restore ra
 .cfi_register ra, t0
 .cfi_undefined s1
 .cfi_same_value s2
 .cfi_val_offset s3, -12
 .cfi_adjust_cfa_offset 8
 .cfi_def_cfa_register sp
 .space 70000
 .cfi_restore_state
 .cfi_rel_offset s4, 4
 .cfi_offset 40, 8
 ret
 .cfi_endproc
g:
 .cfi_startproc
 ret
 .cfi_endproc
h:
 .cfi_startproc simple
 .cfi_signal_frame
 .cfi_return_column 5
 nop
 .cfi_def_cfa sp, 4
 ret
 .cfi_endproc
k:
 .cfi_startproc
 .cfi_personality 0x9b, personality
 .cfi_lsda 0x1b, lsda
 nop
 .cfi_endproc
personality: nop
lsda: nop
"""


def dump(tool: str | None, *arguments: str | Path, cwd: Path) -> str:
    """The output of a tool, which must have nothing to complain about."""
    assert tool is not None
    done = subprocess.run([tool, *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@needs_gnu
@pytest.mark.parametrize("text", [LINES, "f: nop\n .word 3\n", ".data\n.word 1\n"])
def test_line_tables_are_those_of_gnu_as(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.inc").write_text(INCLUDE)
    (tmp_path / "x.s").write_text(text)
    run([AS, "-g", *FLAGS, "x.s", "-o", "gnu.o"], tmp_path)
    ours = assemble_object(Path("x.s"), debug=True).to_elf()
    theirs = (tmp_path / "gnu.o").read_bytes()
    found = object_differences(ours, theirs)
    # The name of the producer is our own, and sections are named by places in them.
    found = [d for d in found if ".debug_str" not in d and "GNU (6, 1, ''" not in d]
    assert [d for d in found if "GNU (12, 1, ''" not in d] == []
    for section in (".debug_line", ".debug_info", ".debug_abbrev", ".debug_aranges"):
        assert (section in described(ours)["sections"]) == (".data" not in text[:6])


@needs_gnu
def test_unwinding_tables_unwind_as_those_of_gnu_as(tmp_path):
    for directive in (
        "",
        ".cfi_sections .debug_frame\n",
        ".cfi_sections .eh_frame, .debug_frame\n",
    ):
        text = directive + FRAMES
        ours = assemble_object(Source("x.s", text))
        shown = []
        for name, data in (("ours", ours.to_elf()), ("gnu", gnu_object(tmp_path, text))):
            (tmp_path / f"{name}.o").write_bytes(data)
            # Only a linker fills in what GNU as leaves open.
            command = [LD, *LD_FLAGS, "-Ttext=0x80000000", "-e", "f", f"{name}.o"]
            run([*command, "-o", f"{name}.elf"], tmp_path)
            shown.append(dump(READELF, "--debug-dump=frames", f"{name}.elf", cwd=tmp_path))
        assert shown[0] == shown[1]
        assert "DW_CFA_restore_state" in shown[0]


@needs_gcc
def test_gcc_s_own_lines_survive_our_assembler(tmp_path):
    """gcc -S writes .file and .loc; the table that we make of them says what GNU as says."""
    (tmp_path / "m.c").write_text("int f(int a)\n{\n  int b = a * 3;\n  return b + 1;\n}\n")
    for flags in (["-gdwarf-5"], ["-gdwarf-4"]):
        run([GCC, *GCC_FLAGS, "-O1", *flags, "-S", "m.c", "-o", "m.s"], tmp_path)
        run([AS, *FLAGS, "m.s", "-o", "gnu.o"], tmp_path)
        (tmp_path / "our.o").write_bytes(assemble_object(tmp_path / "m.s").to_elf())
        tables = []
        for name in ("our.o", "gnu.o"):
            text = dump(OBJDUMP, "--dwarf=decodedline", name, cwd=tmp_path)
            tables.append(re.findall(r"^m\.c +(\d+|-) +(\w+)", text, re.MULTILINE))
            assert "m.c" in dump(READELF, "--debug-dump=info,rawline", name, cwd=tmp_path)
        assert tables[0] == tables[1]
        assert len(tables[0]) > 3


def rows_of(data: bytes) -> list[tuple[int, str, int]]:
    """(address, file, line) as pyelftools reads them."""
    info = ELFFile(io.BytesIO(data)).get_dwarf_info()
    rows = []
    for unit in info.iter_CUs():
        program = info.line_program_for_CU(unit)
        for entry in program.get_entries():
            state = entry.state
            if state is None or state.end_sequence:
                continue
            name = program["file_entry"][state.file - 1].name.decode()
            rows.append((state.address, name, state.line))
    return rows


def test_pyelftools_reads_the_lines_of_an_executable():
    sources = [Source("a.s", ".globl _start\n_start: nop\ncall f\n"),
               Source("dir/b.s", ".globl f\nnop\nf: nop\n.word 1\nret\n")]  # fmt: skip
    image = assemble(sources, debug=True)
    assert rows_of(image.to_elf()) == [
        (0x8000_0000, "a.s", 2), (0x8000_0004, "a.s", 3), (0x8000_000C, "b.s", 2),
        (0x8000_0010, "b.s", 3), (0x8000_0018, "b.s", 5),
    ]  # fmt: skip


def test_without_debug_nothing_is_added_and_with_it_no_address_changes():
    text = Source("a.s", ".globl _start\n_start: la a0, x\n.data\nx: .word 1\n")
    plain, debug = assemble(text), assemble(text, debug=True)
    assert not any(o.name.startswith(".debug") for o in plain.outputs)
    assert plain.segments == debug.segments
    assert plain.symbols == debug.symbols


@needs_gnu
@pytest.mark.parametrize("name", ["hello", "teachos"])
def test_tools_read_a_kernel_without_a_warning(tmp_path, name):
    sources = guestos.images.sources(name)
    image = assemble(
        sources, include_dirs=guestos.images.include_dirs(), text_base=manifest()[name].base,
        debug=True,
    )  # fmt: skip
    (tmp_path / "k.elf").write_bytes(image.to_elf())
    dump(READELF, "-aW", "--debug-dump=info,abbrev,aranges,Ranges,line,str", "k.elf", cwd=tmp_path)
    shown = dump(OBJDUMP, "-d", "-S", "-l", "k.elf", cwd=tmp_path)
    assert str(sources[0]) in shown
    decoded = dump(OBJDUMP, "--dwarf=decodedline", "k.elf", cwd=tmp_path)
    rows = re.findall(r"^(\S+) +(\d+) +0x([0-9a-f]+) ", decoded, re.MULTILINE)
    assert len(rows) > 10
    for file, line, address in rows:
        where = image.line_at(int(address, 16))
        assert where is not None
        assert (Path(where[0]).name, where[1]) == (file, int(line))


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")
def test_gdb_breaks_at_lines_and_lists_them(tmp_path):
    (tmp_path / "a.s").write_text(" .globl _start\n_start:\n nop\n call f\n1: j 1b\n")
    (tmp_path / "f.s").write_text(" .globl f\n# comment\nf: li a0, 1\n ret\n")
    image = assemble([tmp_path / "a.s", tmp_path / "f.s"], debug=True)
    (tmp_path / "x.elf").write_bytes(image.to_elf())
    commands = ["info line f.s:3", "break a.s:4", "break f.s:2", "list f.s:1,4", "info source"]
    arguments = [x for c in commands for x in ("-ex", c)]
    shown = dump(GDB, "-q", "-nx", "-batch", "x.elf", *arguments, cwd=tmp_path)
    assert "Line 3 of" in shown
    assert "starts at address 0x80000010 <f>" in shown
    assert "Breakpoint 1 at 0x80000004: file" in shown
    assert "a.s, line 4." in shown
    assert "Breakpoint 2 at 0x80000010" in shown
    assert "# comment" in shown


@needs_gcc
def test_lines_of_c_and_assembly_in_one_program(tmp_path):
    made = compile_c(tmp_path, "m.c", "int f(int a)\n{\n  return a + 1;\n}\n", "-O1", "-gdwarf-4")
    (tmp_path / "a.s").write_text(" .globl _start\n_start:\n call f\n1: j 1b\n")
    image = assemble([tmp_path / "a.s", made], debug=True)
    rows = rows_of(image.to_elf())
    f = image.symbols["f"]
    assert (0x8000_0000, "a.s", 3) in rows
    assert (f, "m.c", 2) in rows
    assert any(file == "m.c" and line == 3 for _, file, line in rows)
