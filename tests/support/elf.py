"""A minimal ELF32 writer for test images (System V ABI, RISC-V psABI).

It knows one thing: an executable with a loadable segment or several, and the
section headers that loaders insist on.  It is independent of the project's assembler
and loader on purpose.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

EM_RISCV = 243
SEGMENT_OFFSET = 0x1000
MAX_SEGMENTS = 32  # whose headers fit before SEGMENT_OFFSET


def elf32(
    image: bytes,
    base: int = 0x8000_0000,
    entry: int | None = None,
    more: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """An ELF32 executable that loads ``image`` at address ``base``, and ``more`` at theirs."""
    parts = [(base, image), *more]
    assert len(parts) <= MAX_SEGMENTS
    # Each part at a page's start in the file, as it is in memory.
    offsets, end = [], SEGMENT_OFFSET
    for _, data in parts:
        offsets.append(end)
        end += len(data) if len(parts) == 1 else -(-len(data) // 0x1000) * 0x1000
    names = b"\0.text\0.shstrtab\0"
    names_offset = end
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
        len(parts),
        40,
        3,
        2,  # index of .shstrtab
    )
    # PT_LOAD, readable, writable, executable, page aligned.
    for (at, data), offset in zip(parts, offsets, strict=True):
        header += struct.pack("<8I", 1, offset, at, at, len(data), len(data), 7, 0x1000)
    sections = (
        bytes(40)
        # .text: PROGBITS, allocated, writable, executable.
        + struct.pack("<10I", 1, 1, 7, base, SEGMENT_OFFSET, len(image), 0, 0, 4, 0)
        # .shstrtab: STRTAB.
        + struct.pack("<10I", 7, 3, 0, 0, names_offset, len(names), 0, 0, 1, 0)
    )
    body = header
    for (_, data), offset in zip(parts, offsets, strict=True):
        body = body.ljust(offset, b"\0") + data
    body = body.ljust(names_offset, b"\0") + names
    return body.ljust(sections_offset, b"\0") + sections


def write_elf32(path: Path, image: bytes, base: int = 0x8000_0000) -> Path:
    """Write such a file and return its path."""
    path.write_bytes(elf32(image, base))
    return path
