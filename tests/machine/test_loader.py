"""Images: what loads, and that everything else is refused with a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestos import build
from tests.support.elf import elf32
from toyvm.hypervisor import Vm
from toyvm.machine import LoadError, Machine, Program, load_program
from toyvm.machine.loader import check_fits

BASE = 0x8000_0000
RAM = 1 << 20
CODE = bytes.fromhex("6f000000")  # j .
GOOD = elf32(CODE * 16)
HELLO = build("hello").to_elf()
#: Byte offsets in an ELF32 header (System V ABI, chapter 4).
CLASS, DATA, TYPE, MACHINE, ENTRY, FLAGS = 4, 5, 16, 18, 24, 36
PHOFF, SHOFF, PHENTSIZE, PHNUM, SHENTSIZE, SHNUM, SHSTRNDX = 28, 32, 42, 44, 46, 48, 50


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into("<" + form, out, at, value)
    return bytes(out)


def segment(data: bytes, field: int, value: int) -> bytes:
    """Change a word of the first program header: 0 type, 3 paddr, 4 filesz, 5 memsz."""
    (phoff,) = struct.unpack_from("<I", data, PHOFF)
    return patched(data, phoff + 4 * field, "I", value)


def load(image: object, ram: int = RAM) -> Machine:
    machine = Machine(ram=ram, bios="none")
    machine.load(image)
    return machine


# ---- what loads ----------------------------------------------------------------------------------


def test_a_good_elf() -> None:
    machine = load(GOOD)
    assert machine.read_phys(BASE, 64) == CODE * 16
    assert machine.program is not None
    assert machine.program.entry == BASE
    assert not machine.warnings


def test_a_path_bytes_and_an_image_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "hello.elf"
    path.write_bytes(HELLO)
    programs = [load_program(image, 0) for image in (path, str(path), HELLO, build("hello"))]
    first = programs[0]
    assert first.name == str(path)
    for program in programs[1:]:
        assert program.entry == first.entry
        assert program.symbols["_start"] == first.symbols["_start"]
        merged = [b"".join(part[1] for part in p.segments) for p in (program, first)]
        assert merged[0] == merged[1]


def test_a_flat_binary_starts_at_ram_or_where_the_firmware_jumps() -> None:
    machine = load(CODE)
    assert machine.pc == BASE
    assert machine.read_phys(BASE, 4) == CODE
    kernel = Machine(ram=8 << 20, bios="sbi")
    kernel.load(CODE)
    assert kernel.pc == BASE + (4 << 20)
    assert kernel.mode == "S"


def test_bss_is_zero() -> None:
    data = segment(elf32(b"\x55" * 64), 5, 256)
    machine = Machine(ram=RAM, bios="none")
    machine.write_phys(BASE, b"\xff" * 512)
    machine.load(data)
    assert machine.read_phys(BASE, 512) == b"\x55" * 64 + bytes(192) + b"\xff" * 256


def test_headers_that_gnu_ld_puts_below_ram_are_left_out() -> None:
    """`ld -Ttext 0x80000000` makes one segment of the file's first page and the code behind it."""
    data = segment(GOOD, 1, 0)
    (size,) = struct.unpack_from("<I", data, struct.unpack_from("<I", data, PHOFF)[0] + 16)
    data = segment(segment(segment(data, 3, BASE - 0x1000), 4, 0x1000 + size), 5, 0x1000 + size)
    machine = load(data)
    assert (machine.pc, machine.warnings) == (BASE, [])
    assert machine.read_phys(BASE, size) == CODE * 16
    with pytest.raises(LoadError, match="does not fit in RAM"):
        load(segment(data, 3, BASE - 0x2000))


def test_headers_where_the_firmware_enters_are_told() -> None:
    base = BASE + (4 << 20)
    data = elf32(b"\x7fELF" + CODE * 15, base=base, entry=base + 4)
    machine = Machine(ram=8 << 20, bios="sbi")
    machine.load(data)
    assert machine.pc == base
    assert "the ELF headers are there: link with ld's -N" in machine.warnings[0]


def test_an_entry_that_is_not_used_is_warned_about() -> None:
    machine = load(elf32(CODE * 4, entry=BASE + 8))
    assert machine.pc == BASE
    assert len(machine.warnings) == 1
    assert "its entry 0x80000008 is ignored" in machine.warnings[0]
    assert "let a linker script put the start code first" in machine.warnings[0]
    assert "0x80000000" in machine.warnings[0]


def test_a_firmware_and_a_kernel(tmp_path: Path) -> None:
    bios = tmp_path / "bios.elf"
    bios.write_bytes(elf32(CODE))
    machine = Machine(ram=8 << 20, bios=bios)
    machine.load(elf32(CODE * 2, base=BASE + (4 << 20)))
    assert (machine.pc, machine.mode) == (BASE, "M")
    assert machine.read_phys(BASE, 4) == CODE
    assert machine.read_phys(BASE + (4 << 20), 8) == CODE * 2
    machine.load(elf32(CODE * 2, base=BASE + (5 << 20)))
    assert "the firmware jumps to 0x80400000" in machine.warnings[0]


# ---- what does not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (patched(GOOD, CLASS, "B", 2), "64-bit little-endian"),
        (patched(GOOD, DATA, "B", 2), "32-bit big-endian|broken ELF"),
        (patched(GOOD, MACHINE, "H", 40), "for EM_ARM; expected EM_RISCV"),
        (patched(GOOD, MACHINE, "H", 62), "for EM_X86_64; expected EM_RISCV"),
        (patched(GOOD, TYPE, "H", 1), "ET_REL; expected an executable"),
        (patched(GOOD, TYPE, "H", 3), "ET_DYN; expected an executable"),
        (patched(GOOD, FLAGS, "I", 1), "compressed instructions"),
        (patched(GOOD, FLAGS, "I", 4), "floating-point calling convention"),
        (patched(GOOD, PHNUM, "H", 0), "without anything to load"),
        (segment(GOOD, 0, 6), "without anything to load"),
        (segment(GOOD, 4, 0x10_0000), "truncated"),
        (GOOD[:60], "broken ELF|truncated"),
        (GOOD[:0x1010], "truncated|broken ELF"),
        (GOOD[:4], "broken ELF"),
        (GOOD[:16], "broken ELF"),
        (b"", "empty"),
        (segment(GOOD, 3, 0x1000), "does not fit in RAM"),
        (segment(GOOD, 3, BASE - 4), "does not fit in RAM"),
        (segment(GOOD, 3, BASE + RAM - 60), "does not fit in RAM"),
        (segment(GOOD, 3, 0xFFFF_FFF0), "does not fit in RAM"),
        (segment(GOOD, 5, 0xFFFF_FFFF), "does not fit in RAM"),
        (segment(GOOD, 5, RAM), "no room for the device tree"),
    ],
)
def test_broken_images_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message) as caught:
        load(data)
    assert "image" in str(caught.value), "the message names what it is about"
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"nothing\.elf: no such file"):
        load(tmp_path / "nothing.elf")
    with pytest.raises(LoadError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(LoadError, match="empty: empty; expected an ELF file or a flat binary"):
        load(tmp_path / "empty")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(600 << 20)
    with pytest.raises(LoadError, match="larger than 512 MiB; is it an image"):
        load(path)


def test_segments_that_overlap() -> None:
    program = Program("twice", [(BASE, b"12345678", 8), (BASE + 4, b"1234", 4)], BASE)
    with pytest.raises(LoadError, match="twice: two segments overlap at 0x80000004"):
        check_fits(program, RAM)


def test_a_kernel_that_overlaps_its_firmware(tmp_path: Path) -> None:
    bios = tmp_path / "bios.elf"
    bios.write_bytes(elf32(CODE * 64))
    machine = Machine(ram=8 << 20, bios=bios)
    with pytest.raises(LoadError, match="two segments overlap"):
        machine.load(elf32(CODE))


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_refused_image_leaves_the_machine_usable(kind: type) -> None:
    machine = kind(ram=RAM, bios="none")
    for bad in (GOOD[:60], segment(GOOD, 3, 0x1000)):
        with pytest.raises(LoadError):
            machine.load(bad)
    machine.load(GOOD)
    assert machine.run(10).reason == "budget"
    assert machine.steps == 10


# ---- hostile ones --------------------------------------------------------------------------------

INTERESTING = st.one_of(
    st.sampled_from(
        [0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 0x8000_0000]
        + [0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF, 0x8000, BASE, BASE + RAM, 0x1000]
    ),
    st.integers(0, 0xFFFF_FFFF),
)
MUTATION = st.tuples(st.integers(0, 1 << 16), st.sampled_from("BHI"), INTERESTING)


def mutate(data: bytes, mutations: list[tuple[int, str, int]], cut: int) -> bytes:
    out = bytearray(data)
    for at, form, value in mutations:
        size = struct.calcsize(form)
        at %= len(out) - size
        struct.pack_into("<" + form, out, at, value & ((1 << 8 * size) - 1))
    return bytes(out[: len(out) - cut])


FUZZ = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SHARED = Machine(ram=8 << 20, bios="none")


def try_to_load(data: bytes) -> None:
    message = "loaded"
    try:
        SHARED.load(data)
    except LoadError as error:
        message = str(error)
    assert message
    assert "\n" not in message


@FUZZ
@given(st.lists(MUTATION, min_size=1, max_size=6), st.sampled_from([0, 0, 0, 1, 40, 4000]))
def test_mutated_files_load_or_raise_a_load_error(
    mutations: list[tuple[int, str, int]], cut: int
) -> None:
    try_to_load(mutate(HELLO, mutations, cut))


@FUZZ
@given(
    st.lists(
        st.tuples(st.integers(0, 51), st.sampled_from("BHI"), INTERESTING), min_size=1, max_size=3
    )
)
def test_mutated_headers(mutations: list[tuple[int, str, int]]) -> None:
    try_to_load(mutate(HELLO, mutations, 0))


@FUZZ
@given(st.integers(0, 7), INTERESTING, st.integers(0, 7), INTERESTING)
def test_mutated_segments(field: int, value: int, other: int, again: int) -> None:
    try_to_load(segment(segment(HELLO, field, value), other, again))


@FUZZ
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12), INTERESTING), min_size=1, max_size=3)
)
def test_mutated_sections(mutations: list[tuple[int, int, int]]) -> None:
    """Sizes, links and entry sizes of section headers: symbols come from there."""
    (shoff,) = struct.unpack_from("<I", HELLO, SHOFF)
    (count,) = struct.unpack_from("<H", HELLO, SHNUM)
    data = HELLO
    for field, section, value in mutations:
        data = patched(data, shoff + 40 * (section % count) + 4 * field, "I", value)
    try_to_load(data)


@FUZZ
@given(st.binary(max_size=200))
def test_anything_behind_the_magic(tail: bytes) -> None:
    try_to_load(b"\x7fELF" + tail)


def test_a_section_table_that_repeats_itself_takes_no_time() -> None:
    """65,535 section headers that are all the same symbol table."""
    (shoff,) = struct.unpack_from("<I", HELLO, SHOFF)
    (count,) = struct.unpack_from("<H", HELLO, SHNUM)
    kinds = [struct.unpack_from("<I", HELLO, shoff + 40 * i + 4)[0] for i in range(count)]
    symtab = kinds.index(2)
    data = patched(HELLO, SHOFF, "I", shoff + 40 * symtab)
    data = patched(data, SHENTSIZE, "H", 0)
    data = patched(data, SHNUM, "H", 0xFFFF)
    data = patched(data, SHSTRNDX, "H", 0)
    try_to_load(data)
