"""`toyvm asm --format obj`, linking on the command line, and `toyvm objdump`."""

from __future__ import annotations

import pytest

MAIN = " .globl _start\n_start:\n call f\n la a0, word\n1: j 1b\n .data\nword: .word f\n"
OTHER = " .globl f\nf: ret\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.s").write_text(MAIN)
    (tmp_path / "other.s").write_text(OTHER)
    return tmp_path


def test_objects_are_linked_with_a_script(cli, folder):
    (folder / "x.ld").write_text(
        "SECTIONS { . = 0x80400000; .all : { *(.text) *(.data) } end = .; }"
    )
    for name in ("main", "other"):
        assert cli("asm", f"{name}.s", "--format", "obj", "-o", f"{name}.o").code == 0
    assert cli("asm", "main.o", "other.o", "-T", "x.ld", "-o", "x.elf").code == 0
    shown = cli("objdump", "x.elf")
    assert shown.code == 0
    assert "80400000 <_start>:" in shown.out
    assert "# 80400014 <f>" in shown.out
    symbols = cli("objdump", "-t", "-h", "x.elf").out
    assert ".all" in symbols
    assert "8040001c g       *ABS*\t00000000 end" in symbols


def test_places_and_symbols_on_the_command_line(cli, folder):
    made = cli("asm", "main.s", "other.s", "-Ttext=0x80000100", "-Tdata", "0x80100000",
               "--defsym", "unused=f+4", "-e", "f", "-o", "x.elf")  # fmt: skip
    assert made.code == 0, made.err
    data = cli("objdump", "--json", "x.elf").json["members"][0]
    assert data["entry"] == 0x80000114
    addresses = {s["name"]: s["address"] for s in data["sections"]}
    assert addresses[".text"] == 0x80000100
    assert addresses[".data"] == 0x80100000
    assert {s["name"]: s["value"] for s in data["symbols"]}["unused"] == 0x80000118
    lines = {i["address"]: i["line"] for i in data["instructions"]}
    assert lines[0x80000100] == 3
    for options, message in (
        (["--section-start", "x"], "SECTION=ADDRESS"), (["--defsym", "x"], "SYMBOL=EXPRESSION"),
        (["-Ttext", "here"], "expected an address"),
    ):  # fmt: skip
        result = cli("asm", "main.s", *options, "-o", "y.elf")
        assert result.code == 2
        assert message in result.err


def test_relocations_and_source_between_the_instructions(cli, folder):
    assert cli("asm", "main.s", "--format", "obj", "-o", "main.o").code == 0
    shown = cli("objdump", "-d", "-r", "main.o").out
    assert "0: R_RISCV_CALL_PLT\tf" in shown
    shown = cli("objdump", "-r", "-s", "main.o").out
    assert "RELOCATION RECORDS FOR [.text]:" in shown
    assert "Contents of section .data:" in shown
    shown = cli("objdump", "-S", "-l", "main.o").out
    assert " la a0, word\n" in shown
    assert "main.s:3" in shown
    plain = cli("asm", "main.s", "--format", "obj", "--no-debug", "-o", "main.o")
    assert plain.code == 0
    assert ".debug" not in cli("objdump", "-h", "main.o").out


def test_c_is_format_obj(cli, folder):
    assert cli("asm", "main.s", "--format", "obj", "-o", "first.o").code == 0
    assert cli("asm", "-c", "main.s", "-o", "second.o").code == 0
    assert (folder / "first.o").read_bytes() == (folder / "second.o").read_bytes()
    wrong = cli("asm", "-c", "main.s", "--format", "bin", "-o", "x.bin")
    assert (wrong.code, (folder / "x.bin").exists()) == (2, False)
    assert "-c makes an object, --format bin does not" in wrong.err


def test_a_listing_in_a_file(cli, folder):
    made = cli("asm", "main.s", "other.s", "-o", "x.elf", "--listing-file", "x.lst")
    assert made.code == 0
    assert made.out == ""
    assert "# main.s\n" in (folder / "x.lst").read_text()


def test_guests_and_sources_too(cli, folder):
    assert "<f>:" in cli("objdump", "other.s").out
    assert "<_start>:" in cli("objdump", "hello").out
    assert "addi" in cli("objdump", "-M", "no-aliases", "hello").out


def test_what_it_cannot_show(cli, folder):
    (folder / "x.bin").write_bytes(b"1234")
    (folder / "broken.o").write_bytes(b"\x7fELF" + bytes(60))
    for arguments, message in (
        (["x.bin"], "neither an ELF file nor an archive"), (["broken.o"], "32-bit ELF"),
        (["nosuch"], "no such file or guest"), (["-M", "numeric", "hello"], "expected no-aliases"),
        (["-j", ".nothing", "hello"], "has no section"),
    ):  # fmt: skip
        result = cli("objdump", *arguments)
        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1


def test_a_broken_file_is_named(cli, tmp_path):
    path = tmp_path / "short.o"
    path.write_bytes(b"\x7fELF\x01\x01\x01" + bytes(9) + bytes([1, 0, 0xF3, 0]) + b"\xff" * 60)
    result = cli("objdump", path)
    assert (result.code, result.err.startswith(f"toyvm: error: {path}: ")) == (2, True)
