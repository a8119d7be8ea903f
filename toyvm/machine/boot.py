"""What is in memory and in the registers when a machine starts, as QEMU's `virt` board leaves it.

    --bios none   the hart starts at RAM in M-mode; a flat image is placed there
    --bios sbi    the built-in firmware enters the kernel in S-mode at its lowest address; a flat
                  image is placed 4 MiB into RAM
    --bios FILE   the firmware is loaded at RAM and started in M-mode; a flat kernel is placed at
                  the next 4 MiB behind it, and a2 holds the address of the kernel's description

In all cases a0 is the hart's id and a1 the address of the device tree, which lies at the last
2 MiB boundary below the end of RAM (or of the first GiB) with room for it.  An initrd lies half of
RAM, at most 128 MiB, above the kernel's start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any, Final

from toyvm import platform
from toyvm.firmware import devicetree
from toyvm.firmware.fdt import TreeError, parse
from toyvm.machine.loader import (
    SUPERVISOR_OFFSET,
    LoadError,
    Program,
    check_fits,
    load_program,
    read_image,
)
from toyvm.machine.memory import PAGE

TREE_ALIGN: Final = 2 << 20
TREE_TOP: Final = 3 << 30
"""The device tree is below 3 GiB, whatever the size of RAM."""
INITRD_MOST: Final = 128 << 20
"""An initrd is at most that far above the kernel."""

_DYNAMIC: Final = Struct("<6I")
"""OpenSBI's `struct fw_dynamic_info` on RV32: magic, version, address and mode of the next stage,
options, boot hart."""
_DYNAMIC_MAGIC: Final = 0x4942_534F
_DYNAMIC_VERSION: Final = 2
_NEXT_MODE_S: Final = 1

_LINUX: Final = Struct("<8xQQ24x8sI")
"""Linux's RISC-V image header: text_offset, image_size, the old and the new magic number."""
_LINUX_MAGIC: Final = int.from_bytes(b"RSC\x05", "little")


@dataclass
class Boot:
    """A checked plan: what to write where, and how the hart starts."""

    program: Program
    """The kernel."""
    parts: list[tuple[int, bytes]]
    """(physical address, bytes), in the order in which they are written."""
    start: int
    """Where the hart starts: in S-mode with the built-in firmware, else in M-mode."""
    tree: int
    """Physical address of the device tree."""
    dynamic: int = 0
    """Physical address of the kernel's description for a firmware; 0 if there is none."""
    warnings: list[str] = field(default_factory=list)


@dataclass
class BootOptions:
    """What the user chose besides the image: `bios` as above, the kernel's arguments, an initrd
    and a device tree (paths or bytes) to use instead of the board's own."""

    bios: str | Path | Any = "sbi"
    append: str = ""
    initrd: Any = None
    dtb: Any = None


def plan(image: Any, options: BootOptions, ram: int, harts: int = 1, sstc: bool = False) -> Boot:
    """Read and check everything for a machine with `ram` bytes of RAM; LoadError if it is broken
    or does not fit."""
    direct = options.bios == "none"
    base = platform.RAM_BASE
    firmware = None
    kernel_at = base + (0 if direct else SUPERVISOR_OFFSET)
    if options.bios not in ("none", "sbi"):
        firmware = load_program(options.bios, base, firmware=True)
        kernel_at = max(_align_up(firmware.end, SUPERVISOR_OFFSET), kernel_at)
    warnings: list[str] = []
    program = _place_flat(load_program(image, kernel_at), kernel_at, direct, warnings)
    parts = [part for part in (firmware, program) if part is not None]
    whole = Program(program.name, [s for part in parts for s in part.segments], program.entry)
    check_fits(whole, ram)
    if firmware is not None:
        _check_firmware(firmware)
    start = program.lowest if options.bios == "sbi" else base
    warnings += _ignored_entries(program, start, firmware, kernel_at)
    taken = [(at, at + max(size, len(data))) for at, data, size in whole.segments]
    writes = [(at, data + bytes(max(0, size - len(data)))) for at, data, size in whole.segments]
    initrd = None
    if options.initrd is not None:
        at, content = _initrd(options.initrd, program, ram, taken)
        initrd = (at, at + len(content))
        taken.append(initrd)
        writes.append((at, content))
    tree = _tree(options, ram, harts, sstc, initrd)
    dynamic = b""
    if firmware is not None:
        values = (_DYNAMIC_MAGIC, _DYNAMIC_VERSION, program.lowest, _NEXT_MODE_S, 0, 0)
        dynamic = _DYNAMIC.pack(*values)
    tree += bytes(-len(tree) % 8)
    at = _tree_address(program.name, len(tree) + len(dynamic), ram, taken)
    writes.append((at, tree + dynamic))
    return Boot(program, writes, start, at, at + len(tree) if dynamic else 0, warnings=warnings)


def _align_up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _place_flat(program: Program, address: int, direct: bool, warnings: list[str]) -> Program:
    """Follow the header of a flat Linux `Image`: where in RAM, and how much memory in all."""
    if not program.flat:
        return program
    ((_, data, size),) = program.segments
    if len(data) < _LINUX.size:
        return program
    offset, image_size, _, magic = _LINUX.unpack_from(data)
    if magic != _LINUX_MAGIC:
        return program
    wanted = platform.RAM_BASE + offset
    if direct and offset:
        warnings.append(
            f"{program.name}: a Linux image that asks for RAM + {offset:#x}; without firmware it "
            f"is placed at {address:#x}, where the hart starts"
        )
    elif wanted >= address and not direct:
        address = wanted
    if image_size >= 1 << 32:
        raise LoadError(
            f"{program.name}: its Linux header says {image_size:#x} bytes; expected below 2^32"
        )
    return Program(program.name, [(address, data, max(size, image_size))], address, flat=True)


def _check_firmware(firmware: Program) -> None:
    base = platform.RAM_BASE
    if not any(at <= base < at + max(n, len(data)) for at, data, n in firmware.segments):
        raise LoadError(
            f"{firmware.name}: a firmware starts at {base:#x}, and nothing of it is there "
            f"(its lowest address is {firmware.lowest:#x}); link it at {base:#x}, or give its "
            "flat binary"
        )


def _ignored_entries(
    program: Program, start: int, firmware: Program | None, kernel_at: int
) -> list[str]:
    """Sentences about an ELF file's entry that nobody jumps to."""
    name, entry, base = program.name, program.entry, platform.RAM_BASE
    if firmware is None:
        if entry == start:
            return []
        if start == base and program.lowest != base:
            return [
                f"{name}: its entry {entry:#x} is ignored: without firmware the hart starts at "
                f"{base:#x}, where nothing of it is: link it there, or leave --bios none out"
            ]
        if start == base:
            return [
                f"{name}: its entry {entry:#x} is ignored: without firmware the "
                f"hart starts at {base:#x}, as on QEMU; let a linker script put the start code "
                "first (linkers put gcc's main, in .text.startup, before .text)"
            ]
        return [
            f"{name}: its entry {entry:#x} is ignored: the firmware enters a kernel at its lowest "
            f"address, {start:#x}, as on QEMU{_headers(program)}"
        ]
    if program.lowest != kernel_at:
        return [
            f"{name}: its lowest address {program.lowest:#x} is only found through a2 "
            f"(fw_dynamic): if it knows a fixed place, the firmware jumps to {kernel_at:#x}"
            f"{_headers(program)}"
        ]
    if entry != program.lowest:
        return [
            f"{name}: its entry {entry:#x} is ignored: the firmware jumps to {program.lowest:#x}"
        ]
    return []


def _headers(program: Program) -> str:
    """What to do if the lowest bytes are the file's own headers, as with `ld -Ttext`."""
    lowest = min(program.segments, key=lambda segment: segment[0], default=(0, b"", 0))
    if lowest[1][:4] != b"\x7fELF":
        return ""
    return "; the ELF headers are there: link with ld's -N, or with a linker script"


def _initrd(
    source: Any, program: Program, ram: int, taken: list[tuple[int, int]]
) -> tuple[int, bytes]:
    """(address, content) of the initrd, where QEMU puts it."""
    name, content = read_image(source)
    if not content:
        raise LoadError(f"{name}: empty; expected an initrd, such as a cpio archive")
    at = program.lowest + min(ram // 2, INITRD_MOST)
    end = platform.RAM_BASE + ram
    if at + len(content) > end or _collides(at, at + len(content), taken):
        raise LoadError(
            f"{name}: an initrd of {len(content)} bytes does not fit at {at:#x}; give more with "
            "--ram"
        )
    return at, content


def _collides(start: int, end: int, taken: list[tuple[int, int]]) -> bool:
    return any(start < last and first < end for first, last in taken)


def _tree(
    options: BootOptions, ram: int, harts: int, sstc: bool, initrd: tuple[int, int] | None
) -> bytes:
    """The flattened device tree: the board's own, or the user's with what was asked for besides."""
    if options.dtb is None:
        return devicetree.build(
            ram_base=platform.RAM_BASE,
            ram_size=ram,
            harts=harts,
            bootargs=options.append,
            sstc=sstc,
            initrd=initrd,
        )
    name, blob = read_image(options.dtb)
    try:
        root = parse(blob)
    except TreeError as error:
        raise LoadError(f"{name}: a broken device tree: {error}; make it again with dtc") from None
    if options.append or initrd:
        devicetree.choose(root.at("chosen") or root.child("chosen"), options.append, initrd)
    return root.flatten()


def _tree_address(name: str, size: int, ram: int, taken: list[tuple[int, int]]) -> int:
    """Where the device tree goes: 2 MiB-aligned as on QEMU, in small RAMs at a page near the end.

    LoadError if something is there already.
    """
    base = platform.RAM_BASE
    end = min(base + ram, TREE_TOP)
    for alignment in (TREE_ALIGN, PAGE):
        at = (end - size) // alignment * alignment
        if at >= base and not _collides(at, at + size, taken):
            return at
    raise LoadError(f"{name}: no room for the device tree above it; give more with --ram")
