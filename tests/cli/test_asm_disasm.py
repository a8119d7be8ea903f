"""toyvm asm and disasm; guests and doctor."""

from __future__ import annotations

import io
import json
import stat

import pytest
from elftools.elf.elffile import ELFFile

from tests.cli.conftest import HELLO
from toyvm.cli.output import replacing


def test_an_elf_of_risc_v(cli, hello, tmp_path):
    out = tmp_path / "h.elf"
    result = cli("asm", hello, "-o", out)
    assert (result.code, result.out, result.err) == (0, "", "")
    elf = ELFFile(io.BytesIO(out.read_bytes()))
    assert elf.header["e_machine"] == "EM_RISCV"
    assert elf.header["e_type"] == "ET_EXEC"
    assert elf.header["e_entry"] == 0x8000_0000


def test_flat_binary_starts_with_the_first_word(cli, source, tmp_path):
    path = source("    .globl _start\n_start:\n    addi a0, a0, 1\n")
    cli("asm", path, "-o", tmp_path / "o.bin", "--format", "bin")
    # addi a0, a0, 1: imm 1, rs1 10, funct3 0, rd 10, opcode 0x13
    word = 1 << 20 | 10 << 15 | 10 << 7 | 0x13
    assert (tmp_path / "o.bin").read_bytes()[:4] == word.to_bytes(4, "little")


def test_several_files_defines_and_includes(cli, source, tmp_path):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "n.inc").write_text(".equ BASE, 40\n")
    main = source('.include "n.inc"\n.globl _start\n_start: li a0, BASE + ADD\n call other\n')
    other = source(".globl other\nother: ret\n", "other.s")
    out = tmp_path / "o.bin"
    result = cli("asm", main, other, "-o", out, "--format", "bin", "-I", tmp_path / "inc", "-D",
                 "ADD=0x2")  # fmt: skip
    assert result.code == 0, result.err
    assert int.from_bytes(out.read_bytes()[:4], "little") == 42 << 20 | 10 << 7 | 0x13


def test_listing(cli, hello, tmp_path):
    result = cli("asm", hello, "-o", tmp_path / "h.elf", "--listing")
    assert "80000000" in result.out
    assert "lbu  a0, 0(s0)" in result.out


def test_errors_write_nothing_and_keep_the_old_file(cli, source, tmp_path):
    out = tmp_path / "o.elf"
    out.write_text("precious")
    path = source("    adid a0, a0, 1\n")
    result = cli("asm", path, "-o", out)
    assert result.code == 2
    assert f"{path}:1:5" in result.err
    assert "adid" in result.err
    assert "1 error; nothing was written" in result.err
    assert out.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".tmp") == []


def test_errors_as_json(cli, source, tmp_path):
    path = source("    adid a0, a0, 1\n    lw a0, 9999(a1)\n")
    result = cli("asm", path, "-o", tmp_path / "o.elf", "--error-format", "json")
    assert result.code == 2
    rows = json.loads(result.err)
    assert [(row["severity"], row["line"]) for row in rows] == [("error", 1), ("error", 2)]
    assert rows[0]["file"] == str(path)
    assert rows[1]["source"] == "    lw a0, 9999(a1)"
    assert (rows[1]["column"], rows[1]["end_column"]) == (12, 20)
    assert set(rows[0]) == {
        "severity", "name", "message", "file", "line", "column", "end_column", "source",
        "expected", "notes", "hint", "related", "chain",
    }  # fmt: skip


def test_warnings_are_chosen_by_name(cli, source, tmp_path):
    path = source("_start: add x0, a0, a1\nlost: nop\n")
    out = tmp_path / "o.elf"
    result = cli("asm", path, "-o", out)
    assert result.code == 0
    assert "warning[write-x0]" in result.err
    assert "warning[unused-label]" in result.err
    result = cli("asm", path, "-o", out, "-W", "no-write-x0", "-W", "no-unused-label")
    assert (result.code, result.err) == (0, "")
    out.unlink()
    result = cli("asm", path, "-o", out, "-W", "no-unused-label", "-W", "error")
    assert result.code == 2
    assert "error[write-x0]" in result.err
    assert not out.exists()
    result = cli("asm", path, "-o", out, "-W", "write-xo")
    assert result.code == 2
    assert 'did you mean "write-x0"' in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch.s", "-o", "o.elf"], "no such file: nosuch.s"),
        (["{hello}", "-o", "{hello}"], "is one of the sources"),
        (["{hello}", "-o", "nowhere/o.elf"], "no such folder: nowhere"),
        (["{hello}", "-o", "."], "is a directory"),
        (["{hello}", "-o", "o.elf", "--format", "coff"], "expected elf, obj or bin"),
        (["{hello}", "-o", "o.elf", "-D", "9=1"], "expected SYM=VALUE"),
        (["{hello}", "-o", "o.elf", "-D", "A=b"], '"b" is no number'),
    ],
)
def test_bad_usage(cli, hello, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = cli("asm", *[argument.format(hello=hello) for argument in arguments])
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_files_are_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o640)

    def failing() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert path.read_bytes() == b"old"
    with replacing(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_disasm_of_source_elf_and_guest(cli, hello, tmp_path):
    cli("asm", hello, "-o", tmp_path / "h.elf")
    text = cli("disasm", tmp_path / "h.elf").out
    assert "<_start>:" in text
    assert "lbu      a0, 0(s0)" in text
    # objdump -d of the same two instructions: 100002b7 lui t0,0x10000 and 00a28023 sb a0,0(t0)
    assert "100002b7  lui      t0, 0x10000" in text
    assert "00a28023  sb       a0, 0(t0)" in text
    assert cli("disasm", hello).out.splitlines()[1:] == text.splitlines()[1:]
    assert "<_start>:" in cli("disasm", "hello").out


def test_disasm_without_pseudo_instructions(cli, source):
    path = source("    .globl _start\n_start:\n    li a0, 5\n    ret\n")
    assert "li       a0, 5" in cli("disasm", path).out
    plain = cli("disasm", path, "--no-pseudo").out
    assert "addi     a0, zero, 5" in plain
    assert "jalr     zero, 0(ra)" in plain


def test_disasm_of_bytes(cli, tmp_path):
    path = tmp_path / "f.bin"
    path.write_bytes((0x13).to_bytes(4, "little") + b"\x01\x02\x03")
    rows = cli("disasm", path, "--base", "0x80001000", "--json").json["instructions"]
    assert rows[0]["address"] == 0x8000_1000
    assert rows[0]["text"] == "nop"
    assert [row["text"] for row in rows[1:]] == [".byte 0x01", ".byte 0x02", ".byte 0x03"]
    assert cli("disasm", path, "--base", "2").code == 2


def test_guests(cli, tmp_path):
    text = cli("guests").out
    for name in ("hello", "teachos", "appliance"):
        assert f"\n{name} " in text
    assert "probe-" not in text
    assert "probe-sv32" in cli("guests", "--probes").out
    rows = {row["name"]: row for row in cli("guests", "--json").json}
    assert rows["appliance"]["bios"] == "none"
    assert rows["teachos"]["teaches"]
    assert cli("guests", "hello", "-o", tmp_path / "h.elf").code == 0
    assert cli("run", tmp_path / "h.elf").out == cli("run", "hello").out
    assert 'did you mean "hello"?' in cli("guests", "helo").err
    assert cli("guests", "-o", tmp_path / "x").code == 2


def test_doctor(cli):
    result = cli("doctor")
    assert result.code == 0
    for name in ("Python 3.", "numba", "compile cache", "qemu-system-riscv32", "optional:"):
        assert name in result.out
    facts = cli("doctor", "--json").json
    assert facts["ok"] is True
    assert facts["packages"]["numba"]
    assert set(facts["tools"]) >= {"qemu-system-riscv32", "gdb-multiarch", "tshark"}


def test_doctor_fails_when_something_is_missing(cli, monkeypatch):
    import importlib.metadata

    def version(name: str) -> str:
        if name == "rich":
            raise importlib.metadata.PackageNotFoundError
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    result = cli("doctor")
    assert result.code == 1
    assert "missing" in result.out


def test_undefined_symbols_are_errors(cli, source, tmp_path):
    result = cli("asm", source(HELLO.format(finish="NOWHERE")), "-o", tmp_path / "o.elf")
    assert result.code == 2
    assert "NOWHERE" in result.err


def test_inputs_are_never_written_over(cli, source, tmp_path):
    path = source(HELLO.format(finish="FINISHER"))
    before = path.read_bytes()
    out = tmp_path / "o.elf"
    for options in (["-o", path], ["-o", out, "--listing-file", path], ["-o", path, "-T", path]):
        result = cli("asm", path, *options)
        assert result.code == 2
        assert "is one of the sources" in result.err
    result = cli("asm", path, "-o", out, "--listing-file", out)
    assert (result.code, "is the file of -o" in result.err) == (2, True)
    assert path.read_bytes() == before
    assert not out.exists()


def test_inputs_that_are_no_files_are_named_so(cli, source, tmp_path):
    result = cli("asm", tmp_path, "-o", tmp_path / "o.elf")
    assert (result.code, "is a directory; expected" in result.err) == (2, True)
    bad = source("\0")
    result = cli("objdump", bad)
    assert result.code == 2
    assert "toyvm: error: error:" not in result.err
    assert "it is not text" in result.err


def test_a_broken_entry_address_is_wrong_usage(cli, hello, tmp_path):
    result = cli("asm", hello, "-o", tmp_path / "o.elf", "-e", "0xzz")
    assert (result.code, "-e 0xzz: expected an address" in result.err) == (2, True)
