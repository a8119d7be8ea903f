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
    ELFOSABI_GNU,
    EM_RISCV,
    ET_REL,
    RELA_SIZE,
    SHDR_SIZE,
    SHF_INFO_LINK,
    SHN_ABS,
    SHN_COMMON,
    SHT_GROUP,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SYM_SIZE,
    TYPES,
    VISIBILITIES,
)
from .elfstrings import Strings
from .sections import SHF_GROUP, SHF_RETAIN, SHT_NOBITS

ABSOLUTE_INDEX = -1
COMMON_INDEX = -2
UNDEFINED_INDEX = -3
# The groups themselves, downwards.
_GROUP_INDEX = -4


class Relocation(NamedTuple):
    """A place to patch: ``type`` is the number of the psABI, ``symbol`` an index, -1 for none."""

    offset: int
    type: int
    symbol: int
    addend: int


@dataclass(slots=True)
class ObjectSection:
    """A section: ``data`` is empty and ``size`` counts for NOBITS.  ``group`` numbers from 0.

    ``linked`` is the section that one with SHF_LINK_ORDER stands behind.
    """

    name: str
    type: int
    flags: int
    align: int = 1
    entsize: int = 0
    data: bytes | bytearray = b""
    size: int = 0
    relocations: list[Relocation] = field(default_factory=list)
    group: int = -1
    linked: int = -1


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

    ``groups`` are the signatures of section groups, of which a linker keeps one each but for
    those numbered in ``loose``.
    ``symbols`` does not hold the empty symbol that begins every table of a file.
    """

    name: str
    sections: list[ObjectSection] = field(default_factory=list)
    symbols: list[ObjectSymbol] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    loose: set[int] = field(default_factory=set)
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
        self.signatures: list[int] = []

    def file(self) -> bytes:
        """The bytes."""
        obj = self.obj
        relocated: list[tuple[int, int]] = []
        for _ in obj.groups:
            name = self.names.add(".group")
            self.headers.append([name, SHT_GROUP, 0, 0, 0, 0, 0, 0, 4, 4])
        members: list[list[int]] = [[int(n not in obj.loose)] for n in range(len(obj.groups))]
        for number, section in enumerate(obj.sections):
            nobits = section.type == SHT_NOBITS
            self.pad(section.align)
            self.index.append(len(self.headers))
            own = members[section.group] if section.group >= 0 else []
            own.append(len(self.headers))
            size = section.size if nobits else len(section.data)
            self.headers.append(
                [self.names.add(section.name), section.type, section.flags, 0, len(self.out),
                 size, 0, 0, section.align, section.entsize]
            )  # fmt: skip
            if not nobits:
                self.out += section.data
            if section.relocations:
                relocated.append((number, len(self.headers)))
                own.append(len(self.headers))
                name = self.names.add(".rela" + section.name)
                flags = SHF_INFO_LINK | SHF_GROUP * (section.group >= 0)
                self.headers.append(
                    [name, SHT_RELA, flags, 0, 0, 0, 0, self.index[-1], 4, RELA_SIZE]
                )
        for section, number in zip(obj.sections, self.index, strict=True):
            if section.linked >= 0:
                self.headers[number][6] = self.index[section.linked]
        symtab = len(self.headers)
        strings = Strings()
        order, table, first_global = self.symbols(strings)
        self.pad(4)
        for number, words in enumerate(members):
            signature = self.signatures[number]
            self.headers[1 + number][4:8] = [len(self.out), 4 * len(words), symtab, signature]
            self.out += struct.pack(f"<{len(words)}I", *words)
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
        abi = ELFOSABI_GNU if any(s.flags & SHF_RETAIN for s in obj.sections) else 0
        struct.pack_into(
            "<16s2H5I6H", self.out, 0, b"\x7fELF" + bytes([1, 1, 1, abi]) + bytes(8), ET_REL,
            EM_RISCV, 1, 0, 0, len(self.out), obj.flags, EHDR_SIZE, 0, 0, SHDR_SIZE,
            len(self.headers), len(self.headers) - 1,
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
        # The signature of a group is a symbol: one of that name, or else a new one.
        known = {s.name: i for i, s in numbered if s.type != "SECTION"}
        signed = [known.get(name, len(numbered) + n) for n, name in enumerate(obj.groups)]
        for n, signature in enumerate(obj.groups):
            if signed[n] >= len(numbered):
                local.append((signed[n], ObjectSymbol(signature, section=_GROUP_INDEX - n)))
        others = [(i, s) for i, s in numbered if s.binding != "LOCAL"]
        special = {ABSOLUTE_INDEX: SHN_ABS, COMMON_INDEX: SHN_COMMON, UNDEFINED_INDEX: 0}
        order = [0] * (len(obj.symbols) + len(obj.groups))
        table = bytearray(SYM_SIZE)
        pack = struct.Struct("<3I2BH").pack
        for place, (i, s) in enumerate(local + others, 1):
            order[i] = place
            shndx = special.get(s.section, -1)
            if s.section <= _GROUP_INDEX:
                shndx = 1 + _GROUP_INDEX - s.section
            elif shndx < 0:
                shndx = self.index[s.section]
            name = 0 if s.type == "SECTION" else strings.add(s.name)
            info = BINDINGS[s.binding] << 4 | TYPES[s.type]
            table += pack(
                name, s.value & 0xFFFF_FFFF, s.size & 0xFFFF_FFFF, info,
                VISIBILITIES[s.visibility], shndx,
            )  # fmt: skip
        self.signatures = [order[number] for number in signed]
        return order, bytes(table), len(local) + 1


def _signed(value: int) -> int:
    if -(1 << 31) <= value < 1 << 31:
        return value
    return ((value + (1 << 31)) & 0xFFFF_FFFF) - (1 << 31)
