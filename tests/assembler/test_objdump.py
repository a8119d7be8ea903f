"""`toyvm objdump` beside GNU objdump; files that are broken; line tables of others."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

import guestos.images
from assembler import Source, assemble, assemble_object
from assembler.dump import tables
from assembler.dump.code import disassembly
from assembler.dump.lines import line_rows
from assembler.dump.view import View, read_view, views
from assembler.lineread import read_lines
from assembler.objread import ObjectError
from guestos.listing import manifest

from .gcc import compile_c, gnu_ld, libgcc, needs_gcc
from .gnu import OBJDUMP, needs_gnu
from .test_archive import MAIN, START, archive_of
from .test_object import RELOCATIONS

_SHORT = re.compile(r"^(add|xor|or|and|slt|sltu|sll|srl|sra)( \w+,\w+,-?(?:0x)?[0-9a-f]+)\b(?!,)")


def gnu_lines(path: Path, *options: str) -> list[str]:
    """GNU objdump's lines, blanks made one; numbers where it hides an instruction's name."""
    assert OBJDUMP is not None
    done = subprocess.run([OBJDUMP, *options, path], capture_output=True, text=True, check=True)
    return plain(done.stdout)


def plain(text: str) -> list[str]:
    """Lines without differences in blanks; `add a0,a0,1` is `addi a0,a0,1`."""
    out = []
    for line in text.split("\n"):
        words = " ".join(line.split())
        head, colon, rest = words.partition(": ")
        word, _, code = rest.partition(" ")
        found = _SHORT.match(code)
        if colon and found and re.fullmatch("[0-9a-f]{8}", word):
            name = "sltiu" if found[1] == "sltu" else found[1] + "i"
            words = f"{head}: {word} {name}{code[len(found[1]) :]}"
        words = re.sub(r" csr([wsc]) (\w+,\d+)$", r" csr\1i \2", words)
        if words and "file format" not in words:
            out.append(words)
    return out


def our_lines(view: View, *options: str) -> list[str]:
    """What our parts say for the same options."""
    out: list[str] = []
    if "-h" in options:
        out += tables.headers(view)
    if "-t" in options:
        out += tables.symbols(view)
    if "-r" in options and "-d" not in options:
        out += tables.relocations(view, [])
    if "-s" in options:
        out += tables.contents(view, [])
    if "-d" in options:
        out += disassembly(view, [], "no-aliases" not in options, "-r" in options)
    return plain("\n".join(out))


def same(ours: list[str], theirs: list[str]) -> None:
    """Equal, but for names of addresses outside of all sections, which we leave away."""
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other and not mine.endswith(">"):
            other = re.sub(r"(# [0-9a-f]+) <[^<]*>$", r"\1", other)
        assert mine == other
    assert len(ours) == len(theirs)


@needs_gnu
@pytest.mark.parametrize("name", ["hello", "teachos", "appliance"])
@pytest.mark.parametrize("options", [("-d",), ("-d", "-M", "no-aliases"), ("-h", "-t"), ("-s",)])
def test_a_kernel_looks_as_gnu_objdump_shows_it(tmp_path, name, options):
    image = assemble(
        guestos.images.sources(name), include_dirs=guestos.images.include_dirs(),
        text_base=manifest()[name].base, debug=True,
    )  # fmt: skip
    path = tmp_path / "k.elf"
    path.write_bytes(image.to_elf())
    same(our_lines(read_view(path.read_bytes(), "k.elf"), *options), gnu_lines(path, *options))


@needs_gcc
@pytest.mark.parametrize("options", [("-d",), ("-d", "-r"), ("-h", "-t", "-r", "-s")])
def test_objects_and_programs_of_gcc(tmp_path, options):
    made = compile_c(tmp_path, "main.c", MAIN, "-O2", "-g")
    same(our_lines(read_view(made.read_bytes(), "main.o"), *options), gnu_lines(made, *options))
    start = tmp_path / "start.o"
    start.write_bytes(assemble_object(Source("start.s", START), debug=True).to_elf())
    linked = gnu_ld(tmp_path, "-Ttext=0x80000000", "--defsym", "_stack_top=0x80100000", start,
                    made, libgcc(tmp_path))  # fmt: skip
    ours = our_lines(read_view(linked, "gnu.elf"), *options)
    theirs = gnu_lines(tmp_path / "gnu.elf", *options)
    assert len(theirs) > 500 or "-d" not in options
    same(ours, theirs)


@needs_gnu
def test_relocations_of_our_own_object(tmp_path):
    path = tmp_path / "x.o"
    # Numbers that are no addresses are explained by another symbol there.
    text = RELOCATIONS.replace("0x12345678", "0x5678").replace(".type object", "#")
    path.write_bytes(assemble_object(Source("x.s", text)).to_elf())
    view = read_view(path.read_bytes(), "x.o")
    for options in (("-d", "-r"), ("-r",), ("-h", "-t")):
        same(our_lines(view, *options), gnu_lines(path, *options))


@needs_gnu
def test_source_lines_stand_before_their_instructions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.s").write_text(" .globl _start\n_start:\n nop\n call f\n1: j 1b\n")
    Path("f.s").write_text(" .globl f\n# comment\nf: li a0, 1\n ret\n")
    image = assemble([Path("a.s"), Path("f.s")], debug=True)
    view = read_view(image.to_elf(), "x.elf")
    (rows,) = line_rows(view).values()
    found = [(r.address, Path(r.file).name, r.line) for r in rows if not r.end]
    assert found == [
        (0x8000_0000, "a.s", 3), (0x8000_0004, "a.s", 4), (0x8000_000C, "a.s", 5),
        (0x8000_0010, "f.s", 3), (0x8000_0014, "f.s", 4),
    ]  # fmt: skip
    assert all(r.file.startswith(str(tmp_path)) for r in rows)


@needs_gcc
@pytest.mark.parametrize("version", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
def test_line_tables_of_gcc_are_read_as_objdump_reads_them(tmp_path, version):
    made = compile_c(tmp_path, "main.c", MAIN, "-O1", version)
    view = read_view(made.read_bytes(), "main.o")
    ours = sorted(
        (r.address, r.line) for rows in line_rows(view).values() for r in rows if not r.end
    )
    shown = subprocess.run([OBJDUMP, "--dwarf=decodedline", made], capture_output=True, text=True,
                           check=True).stdout  # fmt: skip
    theirs = re.findall(r"^main\.c +(\d+) +(?:0x)?([0-9a-f]+) ", shown, re.MULTILINE)
    assert ours == sorted((int(address, 16), int(line)) for line, address in theirs)
    assert len(ours) > 20


@pytest.mark.parametrize("seed", range(3))
def test_broken_files_give_errors_and_nothing_else(seed):
    rng = random.Random(seed)
    obj = assemble_object(Source("x.s", START), debug=True).to_elf()
    image = assemble(Source("x.s", "_start: nop\nla a0, _start\n.data\n.word 1\n"), debug=True)
    for _ in range(150):
        data = bytearray(rng.choice([obj, image.to_elf(), archive_of([("m.o", obj)])]))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.choice(
                [0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)]
            )
        try:
            for view in views(bytes(data), "x"):
                our_lines(view, "-h", "-t", "-r", "-s", "-d")
                line_rows(view)
        except ObjectError:
            continue
    for _ in range(300):
        read_lines(rng.randbytes(rng.randrange(200)))
