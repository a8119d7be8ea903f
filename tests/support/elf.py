"""A minimal ELF32 writer for test images (System V ABI, RISC-V psABI).

It knows one thing: an executable with one loadable segment, and the section
headers that loaders insist on.  It is independent of the project's assembler
and loader on purpose.
"""

from __future__ import annotations

import struct
from pathlib import Path

EM_RISCV = 243
SEGMENT_OFFSET = 0x1000


def elf32(image: bytes, base: int = 0x8000_0000, entry: int | None = None) -> bytes:
    """An ELF32 executable that loads ``image`` at address ``base``."""
    names = b"\0.text\0.shstrtab\0"
    names_offset = SEGMENT_OFFSET + len(image)
    sections_offset = (names_offset + len(names) + 3) & ~3
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01".ljust(16, b"\0"),  # 32-bit, little-endian, version 1
        2,  # ET_EXEC
        EM_RISCV,
        1,
        base if entry is None else entry,
        52,  # program headers follow this header
        sections_offset,
        0,
        52,
        32,
        1,
        40,
        3,
        2,  # index of .shstrtab
    )
    # PT_LOAD, readable, writable, executable, page aligned.
    size = len(image)
    segment = struct.pack("<8I", 1, SEGMENT_OFFSET, base, base, size, size, 7, 0x1000)
    sections = (
        bytes(40)
        # .text: PROGBITS, allocated, writable, executable.
        + struct.pack("<10I", 1, 1, 7, base, SEGMENT_OFFSET, size, 0, 0, 4, 0)
        # .shstrtab: STRTAB.
        + struct.pack("<10I", 7, 3, 0, 0, names_offset, len(names), 0, 0, 1, 0)
    )
    body = (header + segment).ljust(SEGMENT_OFFSET, b"\0") + image + names
    return body.ljust(sections_offset, b"\0") + sections


def write_elf32(path: Path, image: bytes, base: int = 0x8000_0000) -> Path:
    """Write such a file and return its path."""
    path.write_bytes(elf32(image, base))
    return path
