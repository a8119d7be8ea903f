"""A relocatable object as plain data, and the ELF file made from it.

``read_object`` (in ``objread``) gives the same data back from a file.  Nothing here knows how
the object came about: from a source of ours, from gcc, or out of an archive.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from .diagnostics import Diagnostic
from .elfdefs import (
    BINDINGS,
    EHDR_SIZE,
    EM_RISCV,
    ET_REL,
    RELA_SIZE,
    SHDR_SIZE,
    SHF_INFO_LINK,
    SHN_ABS,
    SHN_COMMON,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SYM_SIZE,
    TYPES,
    VISIBILITIES,
)
from .elfstrings import Strings
from .sections import SHT_NOBITS

ABSOLUTE_INDEX = -1
COMMON_INDEX = -2
UNDEFINED_INDEX = -3


class Relocation(NamedTuple):
    """A place to patch: ``type`` is the number of the psABI, ``symbol`` an index, -1 for none."""

    offset: int
    type: int
    symbol: int
    addend: int


@dataclass(slots=True)
class ObjectSection:
    """A section: ``data`` is empty and ``size`` counts for NOBITS.  ``group`` numbers from 0."""

    name: str
    type: int
    flags: int
    align: int = 1
    entsize: int = 0
    data: bytes | bytearray = b""
    size: int = 0
    relocations: list[Relocation] = field(default_factory=list)
    group: int = -1


@dataclass(slots=True)
class ObjectSymbol:
    """A symbol: ``section`` is an index, or one of the three special indices.

    For a common symbol ``value`` is the alignment, as in the file.
    """

    name: str
    value: int = 0
    size: int = 0
    type: str = "NOTYPE"
    binding: str = "LOCAL"
    visibility: str = "DEFAULT"
    section: int = UNDEFINED_INDEX


@dataclass
class ObjectFile:
    """The sections and symbols of one relocatable object.

    ``groups`` are the signatures of section groups, of which a linker keeps one each.
    ``symbols`` does not hold the empty symbol that begins every table of a file.
    """

    name: str
    sections: list[ObjectSection] = field(default_factory=list)
    symbols: list[ObjectSymbol] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    flags: int = 0
    warnings: list[Diagnostic] = field(default_factory=list)

    def to_elf(self) -> bytes:
        """The ELF32 file."""
        return _Writer(self).file()


class _Writer:
    """Lays the file out as GNU as does: contents, symbols, relocations, headers."""

    def __init__(self, obj: ObjectFile) -> None:
        self.obj = obj
        self.out = bytearray(EHDR_SIZE)
        self.names = Strings()
        self.headers: list[list[int]] = [[0] * 10]
        self.index: list[int] = []

    def file(self) -> bytes:
        """The bytes."""
        obj = self.obj
        relocated: list[tuple[int, int]] = []
        for number, section in enumerate(obj.sections):
            nobits = section.type == SHT_NOBITS
            self.pad(section.align)
            self.index.append(len(self.headers))
            size = section.size if nobits else len(section.data)
            self.headers.append(
                [self.names.add(section.name), section.type, section.flags, 0, len(self.out),
                 size, 0, 0, section.align, section.entsize]
            )  # fmt: skip
            if not nobits:
                self.out += section.data
            if section.relocations:
                relocated.append((number, len(self.headers)))
                name = self.names.add(".rela" + section.name)
                self.headers.append(
                    [name, SHT_RELA, SHF_INFO_LINK, 0, 0, 0, 0, self.index[-1], 4, RELA_SIZE]
                )
        symtab = len(self.headers)
        strings = Strings()
        order, table, first_global = self.symbols(strings)
        self.pad(4)
        self.headers.append(
            [self.names.add(".symtab"), SHT_SYMTAB, 0, 0, len(self.out), len(table), symtab + 1,
             first_global, 4, SYM_SIZE]
        )  # fmt: skip
        self.out += table
        self.headers.append(
            [self.names.add(".strtab"), SHT_STRTAB, 0, 0, len(self.out), len(strings.data), 0, 0,
             1, 0]
        )  # fmt: skip
        self.out += strings.data
        pack = struct.Struct("<2Ii").pack
        for number, at in relocated:
            self.pad(4)
            content = b"".join(
                [
                    pack(offset, (order[symbol] << 8 if symbol >= 0 else 0) | kind, _signed(addend))
                    for offset, kind, symbol, addend in obj.sections[number].relocations
                ]
            )
            self.headers[at][4:7] = [len(self.out), len(content), symtab]
            self.out += content
        name = self.names.add(".shstrtab")
        self.headers.append(
            [name, SHT_STRTAB, 0, 0, len(self.out), len(self.names.data), 0, 0, 1, 0]
        )
        self.out += self.names.data
        self.pad(4)
        struct.pack_into(
            "<16s2H5I6H", self.out, 0, b"\x7fELF" + bytes([1, 1, 1]) + bytes(9), ET_REL, EM_RISCV,
            1, 0, 0, len(self.out), obj.flags, EHDR_SIZE, 0, 0, SHDR_SIZE, len(self.headers),
            len(self.headers) - 1,
        )  # fmt: skip
        for header in self.headers:
            self.out += struct.pack("<10I", *header)
        return bytes(self.out)

    def pad(self, align: int) -> None:
        self.out += bytes(-len(self.out) % max(align, 1))

    def symbols(self, strings: Strings) -> tuple[list[int], bytes, int]:
        """(number in the file of each symbol, the table, the first that is not local)."""
        obj = self.obj
        numbered = list(enumerate(obj.symbols))
        local = [(i, s) for i, s in numbered if s.binding == "LOCAL"]
        others = [(i, s) for i, s in numbered if s.binding != "LOCAL"]
        special = {ABSOLUTE_INDEX: SHN_ABS, COMMON_INDEX: SHN_COMMON, UNDEFINED_INDEX: 0}
        order = [0] * len(obj.symbols)
        table = bytearray(SYM_SIZE)
        pack = struct.Struct("<3I2BH").pack
        for place, (i, s) in enumerate(local + others, 1):
            order[i] = place
            shndx = special.get(s.section, -1)
            if shndx < 0:
                shndx = self.index[s.section]
            name = 0 if s.type == "SECTION" else strings.add(s.name)
            info = BINDINGS[s.binding] << 4 | TYPES[s.type]
            table += pack(
                name, s.value & 0xFFFF_FFFF, s.size & 0xFFFF_FFFF, info,
                VISIBILITIES[s.visibility], shndx,
            )  # fmt: skip
        return order, bytes(table), len(local) + 1


def _signed(value: int) -> int:
    if -(1 << 31) <= value < 1 << 31:
        return value
    return ((value + (1 << 31)) & 0xFFFF_FFFF) - (1 << 31)
