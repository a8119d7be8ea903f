"""The list of guests, and images made from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assembler import AssemblyError
from guestos import GuestError, build, include_dirs, manifest, sources
from guestos.images import root
from guestos.listing import read

ROW: dict[str, Any] = {
    "kind": "kernel",
    "sources": ["hello/hello.s"],
    "base": 0x8040_0000,
    "mode": "S",
    "bios": "sbi",
    "ram": "16M",
    "summary": "s",
    "teaches": "t",
    "agrees": [],
}


def test_the_kernels_are_there() -> None:
    guests = manifest()
    assert {"sbi", "hello", "teachos", "appliance", "cpu"} <= set(guests)
    assert guests["teachos"].bios == "sbi"
    assert guests["appliance"].bios == "none"
    assert guests["teachos"].ram == 16 << 20
    assert (guests["teachos"].drives, guests["teachos"].nets) == (1, 1)


@pytest.mark.parametrize("name", list(manifest()))
def test_a_guest_starts_where_its_boot_expects_it(name: str) -> None:
    guest = manifest()[name]
    assert guest.base == (0x8040_0000 if guest.bios == "sbi" else 0x8000_0000)
    assert guest.mode == ("S" if guest.bios == "sbi" else "M")
    assert guest.summary
    assert guest.teaches
    image = build(name)
    assert image.entry == image.symbols["_start"] == guest.base
    assert not image.warnings
    top = max(segment.addr + segment.memsz for segment in image.segments)
    assert top < 0x8000_0000 + guest.ram - (64 << 10), "no room for the device tree"
    # No segment is writable and executable.
    assert all(segment.flags & 3 != 3 for segment in image.segments)


def test_the_firmware_stays_in_the_memory_that_it_closes() -> None:
    image = build("sbi")
    assert max(segment.addr + segment.memsz for segment in image.segments) <= 0x8004_0000


def test_every_source_belongs_to_a_guest() -> None:
    used = {path.resolve() for name in manifest() for path in sources(name)}
    there = {path.resolve() for path in root().rglob("*.s")}
    # The start of users' C programs: tests/assembler/test_c_program.py links it.
    assert there - used == {(root() / "lib" / "crt0.s").resolve()}
    assert used <= there


def test_builds_are_cached_and_take_defines() -> None:
    assert build("hello") is build("hello")
    assert build("cpu", {"CPU_ROUNDS": 3}) is not build("cpu")


def test_a_guest_in_c_has_an_elf_file_instead_of_sources() -> None:
    assert build("ckernel").to_elf()[:4] == b"\x7fELF"
    assert not sources("ckernel")


def test_an_unknown_guest_is_named() -> None:
    with pytest.raises(GuestError, match="'nobody'; expected one of sbi, hello, teachos"):
        sources("nobody")
    with pytest.raises(GuestError, match="nobody"):
        build("nobody")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": None}, "does not say its 'sources'"),
        ({"kind": "thing"}, "kind 'thing', expected one of kernel"),
        ({"bios": "uefi"}, "expected bios none or sbi"),
        ({"mode": "U"}, "mode M or S"),
        ({"ram": "16"}, "size '16': expected a number with K, M or G"),
        ({"ram": "M"}, "size 'M'"),
        ({"sources": ["@nothing"]}, "no library 'nothing'"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_a_broken_manifest_is_explained(change: dict[str, Any], message: str) -> None:
    row = {k: v for k, v in {**ROW, **change}.items() if v is not None}
    with pytest.raises(GuestError, match=message):
        read({"guest": {"x": row}})


def test_probes_get_their_defaults_and_extras() -> None:
    probe = {
        **ROW, "sources": ["lib/probe.s", "probes/NAME.s", "@two"], "kind": "probe",
        "one": {"summary": "first", "extra": ["lib/x.s", "@two"]},
    }  # fmt: skip
    guests = read({"library": {"two": ["a.s", "b.s"]}, "probe": probe})
    assert list(guests) == ["probe-one"]
    assert guests["probe-one"].sources == (
        "lib/probe.s", "probes/one.s", "a.s", "b.s", "lib/x.s", "a.s", "b.s",
    )  # fmt: skip


def test_a_mistake_in_a_source_is_an_assembly_error(tmp_path: Path) -> None:
    from assembler import assemble

    broken = tmp_path / "broken.s"
    broken.write_text('    .include "sbi.inc"\n    li a0, SBI_NOTHING\n')
    with pytest.raises(AssemblyError, match="SBI_NOTHING"):
        assemble(broken, include_dirs=include_dirs())


AS, LD, COPY = (f"riscv64-unknown-elf-{tool}" for tool in ("as", "ld", "objcopy"))


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in (AS, LD, COPY)),
    reason=f"{AS}, {LD} or {COPY} is not installed; nothing to compare with",
)
@pytest.mark.parametrize("name", [name for name, guest in manifest().items() if not guest.elf])
def test_gnu_tools_make_the_same_bytes(name: str, tmp_path: Path) -> None:
    objects = []
    for number, source in enumerate(sources(name)):
        objects.append(str(tmp_path / f"{number}.o"))
        command = [AS, "-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-mno-relax"]
        command += [word for folder in include_dirs() for word in ("-I", str(folder))]
        subprocess.run([*command, "-o", objects[-1], str(source)], check=True, timeout=60)
    program = tmp_path / "program.elf"
    base = f"-Ttext={manifest()[name].base:#x}"
    link = [LD, "-m", "elf32lriscv", "-n", "--no-warn-rwx-segments", base, "-o", str(program)]
    subprocess.run([*link, *objects], check=True, timeout=60)
    flat = tmp_path / "program.bin"
    subprocess.run([COPY, "-O", "binary", str(program), str(flat)], check=True, timeout=60)
    assert build(name).to_bin() == flat.read_bytes()


def test_importing_the_list_loads_no_assembler() -> None:
    code = "import guestos, sys; guestos.manifest(); print('assembler' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
