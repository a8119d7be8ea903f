"""String tables and the attributes section, shared by objects and executables."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from .source import encode

ARCH = "rv32i2p1_m2p0_a2p1_zicsr2p0_zifencei2p0_zmmul1p0"
"""The instruction set as GNU as names it; M includes Zmmul."""

TAG_STACK_ALIGN = 4
TAG_ARCH = 5
TAG_UNALIGNED_ACCESS = 6
TAG_PRIV_SPEC = 8


class Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """The offset of the text, added if it is new."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self.data)
            self.data += encode(text) + b"\0"
        return offset


def attributes(values: Mapping[int, int | str] | None = None) -> bytes:
    """The content of .riscv.attributes; without values the instruction set alone."""
    given = dict(values or {})
    given.setdefault(TAG_ARCH, ARCH)
    tags = b""
    for tag, value in sorted(given.items()):
        tags += _uleb(tag)
        tags += encode(value) + b"\0" if isinstance(value, str) else _uleb(value)
    sub = b"\x01" + struct.pack("<I", len(tags) + 5) + tags
    vendor = b"riscv\0"
    return b"A" + struct.pack("<I", len(sub) + len(vendor) + 4) + vendor + sub


def _uleb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
