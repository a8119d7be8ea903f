"""How a machine starts: where things are, what the registers hold; the same on QEMU."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import guestos
from assembler import Source, assemble
from guestos import include_dirs
from tests.guestos.qemu import Board, needs_qemu
from tests.guestos.qemu import run as run_qemu
from tests.support.elf import elf32
from toyvm.firmware import devicetree, fdt
from toyvm.hypervisor import Vm
from toyvm.machine import LoadError, Machine

BASE = 0x8000_0000
MIB = 1 << 20
CODE = bytes.fromhex("6f000000")  # j .
LIB = Path(guestos.__file__).parent / "lib"
KINDS = pytest.mark.parametrize("kind", [Machine, Vm])

# A firmware that tells what it was given, then jumps to the kernel it was told about.
FIRMWARE = """
    .include "csr.inc"
    .include "abi.inc"
    .macro say text, value
    la   a0, 9f
    call print_str
    mv   a0, \\value
    call print_hex
    call print_newline
    .section .rodata
9:  .asciz "\\text "
    .section .text
    .endm
    .globl _start
_start:
    la   sp, stack
    mv   s0, a0
    mv   s1, a1
    mv   s2, a2
    say  hart, s0
    say  tree, s1
    lw   s3, 0(s1)
    say  magic, s3
    lw   s3, 0(s2)
    say  info, s3
    lw   s3, 4(s2)
    say  version, s3
    lw   s4, 8(s2)
    say  next, s4
    lw   s3, 12(s2)
    say  mode, s3
    lw   s3, 16(s2)
    say  options, s3
    lw   s3, 20(s2)
    say  boot, s3
    mv   a0, s0
    mv   a1, s1
    jr   s4
    .section .bss
    .space {room}
    .align 4
    .space 1024
stack:
"""
# A kernel that says where it is, whom it got, and what its first word behind itself is.
KERNEL = """
    .include "platform.inc"
    .include "uart.inc"
    .include "abi.inc"
    .globl _start
_start:
    mv   s0, a0
    mv   s1, a1
    auipc s2, 0
    addi s2, s2, -8
    li   s3, UART0_BASE
    mv   a0, s2
    jal  hex
    mv   a0, s1
    jal  hex
    li   t0, FINISHER_BASE
    li   t1, FINISHER_PASS
    sw   t1, 0(t0)
1:  j    1b
hex:
    li   t0, 8
1:  srli t1, a0, 28
    addi t1, t1, '0'
    li   t2, '9'
    bleu t1, t2, 2f
    addi t1, t1, 'a' - '0' - 10
2:  sb   t1, UART_THR(s3)
    slli a0, a0, 4
    addi t0, t0, -1
    bnez t0, 1b
    li   t1, '\\n'
    sb   t1, UART_THR(s3)
    ret
"""


def program(text: str, base: int = BASE, libraries: tuple[str, ...] = (), entry: str = "_start"):
    sources = [Source("test.s", text), *(LIB / name for name in libraries)]
    return assemble(sources, include_dirs=include_dirs(), text_base=base, entry=entry)


def firmware(room: int = 16):
    libraries = ("print.s", "uart.s", "uart_console.s")
    return program(FIRMWARE.replace("{room}", str(room)), BASE, libraries)


def flat(image) -> bytes:
    """The bytes of an image from its lowest address on."""
    base = min(segment.addr for segment in image.segments)
    end = max(segment.addr + len(segment.data) for segment in image.segments)
    out = bytearray(end - base)
    for segment in image.segments:
        out[segment.addr - base :][: len(segment.data)] = segment.data
        at = segment.addr - base
        out[at : at + len(segment.data)] = segment.data
    return bytes(out)


def run_ours(kind: type, kernel: bytes, bios: object, ram: int, **more: object) -> str:
    machine = kind(ram=ram, bios=bios, **more)
    machine.load(kernel)
    stop = machine.run(1_000_000)
    assert (stop.reason, stop.code) == ("exit", 0), stop
    return machine.console_output.decode()


KERNELS = {
    "flat": flat(program(KERNEL)),
    "elf": program(KERNEL, BASE + 5 * MIB).to_elf(),
    "elf with another entry": program(KERNEL, BASE + 4 * MIB, entry="hex").to_elf(),
}


@needs_qemu
@pytest.mark.parametrize("name", list(KERNELS))
@pytest.mark.parametrize("room", [16, 5 * MIB], ids=["small firmware", "firmware beyond 4 MiB"])
@pytest.mark.parametrize("ram", [24, 128])
def test_a_firmware_finds_its_kernel_as_on_qemu(
    tmp_path: Path, name: str, room: int, ram: int
) -> None:
    bios, kernel = tmp_path / "bios.elf", tmp_path / "kernel"
    bios.write_bytes(firmware(room).to_elf())
    data = KERNELS[name]
    if room > MIB and name != "flat":
        data = program(KERNEL, BASE + 12 * MIB).to_elf()
    kernel.write_bytes(data)
    theirs, code = run_qemu(Board(kernel, bios=bios, ram=f"{ram}M"))
    assert code == 0
    lines = theirs.splitlines()
    assert "info 0x4942534f" in lines
    assert len(lines) == 11
    for kind in (Machine, Vm):
        assert run_ours(kind, kernel, bios, ram * MIB) == theirs


@needs_qemu
@KINDS
@pytest.mark.parametrize(("ram", "tree"), [(64, 62), (1024, 1022), (2048, 1022)])
def test_without_firmware_as_on_qemu(tmp_path: Path, kind: type, ram: int, tree: int) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(KERNELS["flat"])
    theirs = run_qemu(Board(kernel, ram=f"{ram}M"))
    assert theirs == (f"{BASE:08x}\n{BASE + tree * MIB:08x}\n", 0)
    assert run_ours(kind, KERNELS["flat"], "none", ram * MIB) == theirs[0]


@needs_qemu
def test_a_flat_firmware_and_an_initrd_as_on_qemu(tmp_path: Path) -> None:
    bios, kernel, initrd = (tmp_path / name for name in ("bios.bin", "kernel", "initrd"))
    bios.write_bytes(flat(firmware()))
    # This kernel prints the first words of its initrd instead of its own address.
    text = KERNEL.replace("mv   a0, s2", f"li t0, {BASE + 4 * MIB + 32 * MIB:#x}\n lw a0, 0(t0)")
    kernel.write_bytes(flat(program(text)))
    initrd.write_bytes(b"\x78\x56\x34\x12")
    board = Board(kernel, bios=bios, ram="64M", more=("-initrd", str(initrd)))
    theirs, code = run_qemu(board)
    assert code == 0
    assert "12345678\n" in theirs
    for kind in (Machine, Vm):
        assert run_ours(kind, kernel, bios, 64 * MIB, initrd=initrd) == theirs


@KINDS
def test_the_built_in_firmware_enters_at_the_lowest_address(kind: type) -> None:
    machine = kind(ram=16 * MIB, bios="sbi")
    machine.load(KERNELS["elf with another entry"])
    assert (machine.pc, machine.mode) == (BASE + 4 * MIB, "S")
    assert len(machine.warnings) == 1
    assert "at its lowest address, 0x80400000, as on QEMU" in machine.warnings[0]
    machine.load(KERNELS["elf"])
    assert machine.pc == BASE + 5 * MIB
    assert not machine.warnings


def test_nothing_at_the_start_is_warned_about() -> None:
    machine = Machine(ram=16 * MIB, bios="none")
    machine.load(KERNELS["elf"])
    assert len(machine.warnings) == 1
    assert "where nothing of it is" in machine.warnings[0]


# -- Linux's header ----------------------------------------------------------------------------


def linux(offset: int, size: int) -> bytes:
    """An image with the header of Linux's Documentation/riscv/boot-image-header.rst."""
    header = struct.pack("<2I3QII3Q", 0x6F, 0, offset, size, 0, 2, 0, 0, 0x5643534952, 0)
    return header[:48] + b"RISCV\0\0\0" + b"RSC\x05" + bytes(4) + b"\x55" * 64


def test_a_linux_image_says_where_it_wants_to_be() -> None:
    machine = Machine(ram=32 * MIB, bios="sbi")
    machine.load(linux(4 * MIB, 8 * MIB))
    assert machine.pc == BASE + 4 * MIB
    machine.load(linux(8 * MIB, 8 * MIB))
    assert machine.pc == BASE + 8 * MIB
    assert machine.program is not None
    assert machine.program.end == BASE + 16 * MIB
    # Where the firmware is it cannot be: QEMU's place then.
    machine.load(linux(0, 8 * MIB))
    assert machine.pc == BASE + 4 * MIB
    with pytest.raises(LoadError, match="does not fit in RAM"):
        machine.load(linux(4 * MIB, 64 * MIB))
    with pytest.raises(LoadError, match="its Linux header says"):
        machine.load(linux(4 * MIB, 1 << 63))
    with pytest.raises(LoadError, match="does not fit in RAM"):
        machine.load(linux(1 << 62, 1))
    direct = Machine(ram=32 * MIB, bios="none")
    direct.load(linux(4 * MIB, MIB))
    assert direct.read_phys(BASE, 4) == linux(0, 0)[:4]
    assert "asks for RAM + 0x400000" in direct.warnings[0]


def test_a_uimage_is_named() -> None:
    with pytest.raises(LoadError, match="a U-Boot image"):
        Machine(ram=16 * MIB).load(bytes.fromhex("27051956") + bytes(60))


# -- firmware files ----------------------------------------------------------------------------


def test_a_firmware_may_be_position_independent(tmp_path: Path) -> None:
    moving = bytearray(elf32(CODE))
    struct.pack_into("<H", moving, 16, 3)  # ET_DYN
    machine = Machine(ram=16 * MIB, bios=bytes(moving))
    machine.load(CODE)
    assert (machine.pc, machine.mode) == (BASE, "M")
    struct.pack_into("<I", moving, 52 + 12, BASE + MIB)
    with pytest.raises(LoadError, match="a firmware starts at 0x80000000, and nothing of it"):
        Machine(ram=16 * MIB, bios=bytes(moving)).load(CODE)


# -- device tree and initrd --------------------------------------------------------------------


def tree_of(machine: Machine) -> fdt.Node:
    at = int(machine.x[11])
    head = machine.read_phys(at, 8)
    assert head is not None
    blob = machine.read_phys(at, struct.unpack(">II", head)[1])
    assert blob is not None
    return fdt.parse(blob)


def properties(node: fdt.Node | None) -> dict[str, bytes]:
    assert node is not None
    return dict(node._properties)


def test_a_device_tree_of_the_users() -> None:
    root = fdt.Node().prop("model", "mine")
    root.child("chosen").prop("bootargs", "old").prop("kept", 1)
    machine = Machine(ram=16 * MIB, bios="none", dtb=root.flatten(), append="new", initrd=b"abcd")
    machine.load(CODE)
    tree = tree_of(machine)
    assert properties(tree)["model"] == b"mine\0"
    assert properties(tree.at("chosen")) == {
        "bootargs": b"new\0",
        "kept": b"\0\0\0\1",
        "linux,initrd-start": struct.pack(">I", BASE + 8 * MIB),
        "linux,initrd-end": struct.pack(">I", BASE + 8 * MIB + 4),
    }
    assert machine.read_phys(BASE + 8 * MIB, 4) == b"abcd"
    plain = Machine(ram=16 * MIB, bios="none", dtb=fdt.Node().flatten())
    plain.load(CODE)
    assert tree_of(plain).at("chosen") is None
    with pytest.raises(LoadError, match="a broken device tree: it ends too early"):
        Machine(ram=16 * MIB, dtb=b"\xd0\x0d\xfe\xed").load(CODE)


def test_an_initrd_that_does_not_fit() -> None:
    with pytest.raises(LoadError, match="an initrd of 9437184 bytes does not fit at 0x80800000"):
        Machine(ram=16 * MIB, bios="none", initrd=bytes(9 * MIB)).load(CODE)
    with pytest.raises(LoadError, match="empty; expected an initrd"):
        Machine(ram=16 * MIB, bios="none", initrd=b"").load(CODE)
    with pytest.raises(LoadError, match="no such file"):
        Machine(ram=16 * MIB, bios="none", initrd="no such initrd").load(CODE)


@KINDS
def test_restart_is_power_off_and_on(kind: type) -> None:
    machine = kind(ram=16 * MIB, bios="none")
    with pytest.raises(ValueError, match="nothing is loaded"):
        machine.restart()
    machine.load(KERNELS["flat"])
    first = machine.run(100_000)
    machine.write_phys(BASE, bytes(64))
    machine.restart()
    assert (machine.pc, machine.mode, machine.steps) == (BASE, "M", 0)
    assert machine.run(100_000) == first
    assert machine.console_output.decode() == 2 * f"{BASE:08x}\n{BASE + 14 * MIB:08x}\n"
    assert devicetree.build(BASE, 16 * MIB)[:4] == machine.read_phys(BASE + 14 * MIB, 4)
