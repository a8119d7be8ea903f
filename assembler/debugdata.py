"""Building debugging sections: bytes, numbers of variable length, and references to be patched."""

from __future__ import annotations

from . import sections
from .sections import SHT_PROGBITS, Fixup, Section
from .source import encode
from .values import Bound, Rel, Tree


def uleb(value: int) -> bytes:
    """An unsigned number of variable length (DWARF 5, section 7.6)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb(value: int) -> bytes:
    """A signed number of variable length."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


class Builder:
    """A section that grows; ``place`` is where a mistake in it would be shown."""

    def __init__(self, section: Section, place: int = -1) -> None:
        self.section = section
        self.place = place

    def __len__(self) -> int:
        return len(self.section.data)

    def add(self, *parts: bytes | int) -> None:
        """Append bytes; an int is one byte."""
        for part in parts:
            if isinstance(part, int):
                self.section.data.append(part)
            else:
                self.section.data += part

    def text(self, text: str) -> None:
        """A string with its end."""
        self.add(encode(text) + b"\0")

    def word(self, value: int, size: int = 4) -> None:
        """A number."""
        self.add((value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))

    def address(self, value: Bound, size: int = 4) -> None:
        """A value that is patched when addresses are known."""
        self.address_at(len(self), value, size)
        self.add(bytes(size))

    def address_at(self, offset: int, value: Bound, size: int = 4) -> None:
        """The same for bytes at an offset, which are added later."""
        kind = sections.DATA_KINDS[size]
        self.section.fixups.append(Fixup(offset, kind, value, self.place))

    def relative(self, value: Bound) -> None:
        """The distance from here to an address, four bytes (R_RISCV_32_PCREL)."""
        kind = sections.RAW + 57
        self.section.fixups.append(Fixup(len(self), kind, value, self.place))
        self.add(bytes(4))

    def distance(self, to: Rel, start: Rel, size: int = 4) -> None:
        """The difference of two addresses."""
        self.address(Tree("-", to, start, 3), size)

    def open_length(self) -> int:
        """Leave room for a length of what follows."""
        self.add(bytes(4))
        return len(self)

    def close_length(self, start: int) -> None:
        """Fill in the length of what was added since ``start``."""
        self.section.data[start - 4 : start] = (len(self) - start).to_bytes(4, "little")


def new_section(
    known: dict[str, Section], name: str, flags: int = 0, align: int = 1, entsize: int = 0
) -> Section:
    """The section of that name, made if it is new."""
    section = known.get(name)
    if section is None:
        section = known[name] = Section(name, flags, SHT_PROGBITS, len(known), entsize, align)
    section.align = max(section.align, align)
    return section
