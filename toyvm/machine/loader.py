"""Images: ELF executables, flat binaries and the assembler's output, checked before they load."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from toyvm.platform import RAM_BASE

SUPERVISOR_OFFSET: Final = 4 << 20
"""A flat S-mode image starts 4 MiB into RAM, as on QEMU's 32-bit `virt` board."""
_UIMAGE_MAGIC: Final = bytes.fromhex("27051956")
_EF_RVC: Final = 0x1
_EF_FLOAT: Final = 0x6
_HEADER_PAGE: Final = 4 << 10
_MAX_IMAGE: Final = 512 << 20


class LoadError(ValueError):
    """An image that cannot be loaded: what it is, where, what was expected, what to do."""


class FlatFile(bytes):
    """The bytes of a flat binary, with the name of their file for messages."""

    name = "image"


@dataclass
class Program:
    """What a machine loads: segments (address, bytes, size in memory), entry and symbols."""

    name: str
    segments: list[tuple[int, bytes, int]]
    entry: int
    symbols: dict[str, int] = field(default_factory=dict)
    flat: bool = False
    """True for bytes without headers: they have no entry of their own."""

    @property
    def lowest(self) -> int:
        """The lowest address that is loaded: where firmware enters a kernel, as on QEMU."""
        return min((address for address, _, _ in self.segments), default=self.entry)

    @property
    def end(self) -> int:
        """The first address behind everything that is loaded."""
        return max((at + max(size, len(data)) for at, data, size in self.segments), default=0)


def from_flat(data: bytes, address: int, name: str = "image") -> Program:
    """A flat binary at `address`."""
    return Program(name, [(address, data, len(data))], address, flat=True)


def from_elf(data: bytes, name: str = "image", firmware: bool = False) -> Program:
    """A static RV32 executable without compressed or floating-point code; LoadError otherwise.

    A firmware may also be position-independent (ET_DYN): it relocates itself, as OpenSBI does.
    """
    try:
        elf = ELFFile(io.BytesIO(data))
        header = elf.header
        if elf.elfclass != 32 or not elf.little_endian:
            kind = f"{elf.elfclass}-bit {'little' if elf.little_endian else 'big'}-endian"
            raise LoadError(f"{name}: a {kind} ELF file; expected 32-bit little-endian RISC-V")
        if header["e_machine"] != "EM_RISCV":
            raise LoadError(f"{name}: an ELF file for {header['e_machine']}; expected EM_RISCV")
        if header["e_type"] != "ET_EXEC" and not (firmware and header["e_type"] == "ET_DYN"):
            raise LoadError(
                f"{name}: an ELF file of type {header['e_type']}; expected an executable "
                "(ET_EXEC): link it, without -pie or -r"
            )
        if header["e_flags"] & _EF_RVC:
            raise LoadError(
                f"{name}: contains compressed instructions; this machine is RV32IMA: "
                "build with -march=rv32ima_zicsr_zifencei"
            )
        if header["e_flags"] & _EF_FLOAT:
            raise LoadError(
                f"{name}: uses a floating-point calling convention; build with -mabi=ilp32"
            )
        segments = []
        for segment in elf.iter_segments():
            if segment["p_type"] != "PT_LOAD" or segment["p_memsz"] == 0:
                continue
            content = segment.data()
            if len(content) != segment["p_filesz"]:
                raise LoadError(f"{name}: the file ends inside a segment: it is truncated")
            size = max(segment["p_memsz"], len(content))
            address, below = segment["p_paddr"], RAM_BASE - segment["p_paddr"]
            if segment["p_offset"] == 0 and 0 < below < size and below <= _HEADER_PAGE:
                # GNU ld (-Ttext) maps the file's headers in the page before the code; on QEMU
                # what lies below RAM goes nowhere.
                address, content, size = RAM_BASE, content[below:], size - below
            segments.append((address, content, size))
        symbols = {}
        for section in elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    if symbol.name and symbol["st_shndx"] != "SHN_UNDEF":
                        kind = symbol["st_info"]["type"]
                        if kind not in ("STT_SECTION", "STT_FILE"):
                            symbols[symbol.name] = symbol["st_value"]
        if not segments:
            raise LoadError(f"{name}: an ELF file without anything to load (no PT_LOAD segment)")
        return Program(name, segments, header["e_entry"], symbols)
    except LoadError:
        raise
    except (
        ELFError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        OverflowError,
        EOFError,
    ) as error:
        raise LoadError(f"{name}: a broken ELF file ({error}); build it again") from None
    except Exception as error:  # pyelftools meets hostile headers with many kinds of exceptions
        raise LoadError(
            f"{name}: a broken ELF file ({type(error).__name__}); build it again"
        ) from None


def load_program(image: Any, flat_address: int, firmware: bool = False) -> Program:
    """Make a Program of a path, of bytes, or of an object with segments, entry and symbols.

    Anything that does not start with the ELF magic is a flat binary for `flat_address`.
    """
    if isinstance(image, Program):
        return image
    if hasattr(image, "segments"):
        segments = [
            (segment.addr, bytes(segment.data), segment.memsz) for segment in image.segments
        ]
        name = getattr(image, "name", "") or "image"
        return Program(name, segments, image.entry, dict(image.symbols))
    name, data = read_image(image)
    if data[:4] == b"\x7fELF":
        return from_elf(data, name, firmware)
    if not data:
        raise LoadError(f"{name}: empty; expected an ELF file or a flat binary")
    if data[:4] == _UIMAGE_MAGIC:
        raise LoadError(
            f"{name}: a U-Boot image (uImage); give the ELF file or the flat Image in it"
        )
    return from_flat(data, flat_address, name)


def read_image(image: Any) -> tuple[str, bytes]:
    """(name, content) of a path or of bytes; LoadError if it cannot be read."""
    if isinstance(image, bytes | bytearray):
        return getattr(image, "name", "image"), bytes(image)
    path = Path(image)
    name = str(path)
    too_large = f"{name}: larger than {_MAX_IMAGE >> 20} MiB; is it an image?"
    try:
        if path.stat().st_size > _MAX_IMAGE:
            raise LoadError(too_large)
        with path.open("rb") as stream:
            # A device such as /dev/zero has no size, and no end.
            data = stream.read(_MAX_IMAGE + 1)
    except FileNotFoundError:
        raise LoadError(f"{name}: no such file") from None
    except OSError as error:
        raise LoadError(f"{name}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_IMAGE:
        raise LoadError(too_large)
    return name, data


def check_fits(program: Program, ram_size: int) -> None:
    """LoadError if a segment lies outside RAM of `ram_size` bytes, or two of them overlap."""
    end = RAM_BASE + ram_size
    last = 0
    for address, data, memsz in sorted(program.segments, key=lambda s: s[0]):
        size = max(memsz, len(data))
        if address < RAM_BASE or address + size > end:
            raise LoadError(
                f"{program.name}: a segment of {size} bytes at {address:#x} does not fit in RAM "
                f"({RAM_BASE:#x} to {end - 1:#x}); give more with --ram, or link it elsewhere"
            )
        if address < last:
            raise LoadError(f"{program.name}: two segments overlap at {address:#x}")
        last = address + size
