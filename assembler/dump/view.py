"""Any ELF32 RISC-V file as plain data: sections, symbols and relocations, for looking at.

Unlike ``read_object`` this takes executables too, and keeps everything that is in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..archive import MAGIC as ARCHIVE_MAGIC
from ..archive import read_archive
from ..elfdefs import (
    BINDING_NAMES,
    EHDR_SIZE,
    EM_RISCV,
    ET_REL,
    PHDR_SIZE,
    PT_LOAD,
    RELA_SIZE,
    SHDR_SIZE,
    SHN_ABS,
    SHN_COMMON,
    SHN_LORESERVE,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SYM_SIZE,
    TYPE_NAMES,
    VISIBILITY_NAMES,
)
from ..objread import ObjectError
from ..sections import SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS
from ..source import decode

_SECTIONS_MAX = 100_000


@dataclass(frozen=True)
class ViewSymbol:
    """An entry of the symbol table; ``section`` is an index, or "*ABS*", "*UND*", "*COM*"."""

    name: str
    value: int
    size: int
    type: str
    binding: str
    visibility: str
    section: int | str


@dataclass(frozen=True)
class ViewRelocation:
    """A relocation with the number of its symbol."""

    offset: int
    type: int
    symbol: int
    addend: int


@dataclass
class ViewSection:
    """A section; ``load`` is its load address."""

    index: int
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    align: int
    entsize: int
    data: bytes
    load: int = 0
    relocations: list[ViewRelocation] = field(default_factory=list)

    @property
    def code(self) -> bool:
        """Whether it holds instructions."""
        return bool(self.flags & SHF_EXECINSTR)

    @property
    def loaded(self) -> bool:
        """Whether a program has it in memory."""
        return bool(self.flags & SHF_ALLOC)


@dataclass
class View:
    """A file."""

    name: str
    relocatable: bool
    entry: int
    sections: list[ViewSection] = field(default_factory=list)
    symbols: list[ViewSymbol] = field(default_factory=list)

    def section_named(self, name: str) -> ViewSection | None:
        """The first section of that name."""
        return next((s for s in self.sections if s.name == name), None)

    def where(self, symbol: ViewSymbol) -> str:
        """The name of a symbol's section."""
        if isinstance(symbol.section, str):
            return symbol.section
        for section in self.sections:
            if section.index == symbol.section:
                return section.name
        return "*ABS*"


def views(data: bytes, name: str) -> Iterator[View]:
    """The file, or every member of an archive; ObjectError if it is broken."""
    if data[:8] == ARCHIVE_MAGIC:
        for member in read_archive(data, name).members.values():
            if member.data[:4] == b"\x7fELF":
                yield read_view(member.data, member.name)
        return
    yield read_view(data, name)


def read_view(data: bytes, name: str) -> View:
    """One ELF file; ObjectError if it is broken or not for this machine."""
    if data[:4] != b"\x7fELF":
        raise ObjectError("this is not an ELF file")
    if len(data) < EHDR_SIZE or data[4] != 1 or data[5] != 1:
        raise ObjectError("this is not a little-endian 32-bit ELF file")
    (kind, machine, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, names) = (
        struct.unpack("<2H5I6H", data[16:EHDR_SIZE])
    )
    if machine != EM_RISCV:
        raise ObjectError(f"this file is for another machine (e_machine {machine})")
    view = View(name, kind == ET_REL, entry)
    if shoff == 0:
        return view
    if shentsize != SHDR_SIZE or shoff + shnum * SHDR_SIZE > len(data) or shnum > _SECTIONS_MAX:
        raise ObjectError("the section table lies outside the file")
    headers = [struct.unpack_from("<10I", data, shoff + i * SHDR_SIZE) for i in range(shnum)]
    table = _content(data, headers, names, SHT_STRTAB)
    for i, h in enumerate(headers):
        if i == 0 or h[1] in (SHT_SYMTAB, SHT_STRTAB, SHT_RELA):
            continue
        body = b"" if h[1] == SHT_NOBITS else _content(data, headers, i)
        view.sections.append(
            ViewSection(i, _string(table, h[0]), h[1], h[2], h[3], h[4], h[5], max(h[8], 1), h[9],
                        body, h[3])
        )  # fmt: skip
    _load_addresses(view, data, phoff, phnum, phentsize)
    for i, h in enumerate(headers):
        if h[1] == SHT_SYMTAB:
            strings = _content(data, headers, h[6], SHT_STRTAB)
            _symbols(view, _content(data, headers, i), strings)
    by_index = {s.index: s for s in view.sections}
    for i, h in enumerate(headers):
        if h[1] == SHT_RELA and h[7] in by_index:
            body = _content(data, headers, i)
            body = body[: len(body) // RELA_SIZE * RELA_SIZE]
            for offset, info, addend in struct.iter_unpack("<2Ii", body):
                by_index[h[7]].relocations.append(
                    ViewRelocation(offset, info & 0xFF, info >> 8, addend)
                )
    return view


def _content(
    data: bytes, headers: list[tuple[int, ...]], number: int, kind: int | None = None
) -> bytes:
    if number >= len(headers) or (kind is not None and headers[number][1] != kind):
        raise ObjectError(f"section {number} is missing or of another kind")
    start, size = headers[number][4], headers[number][5]
    if start + size > len(data):
        raise ObjectError(f"section {number} lies outside the file")
    return data[start : start + size]


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    if offset >= len(table) or end < 0:
        return ""
    return decode(table[offset : min(end, offset + 4096)])


def _symbols(view: View, table: bytes, strings: bytes) -> None:
    special = {0: "*UND*", SHN_ABS: "*ABS*", SHN_COMMON: "*COM*"}
    names = {s.index: s.name for s in view.sections}
    for at in range(0, len(table) // SYM_SIZE * SYM_SIZE, SYM_SIZE):
        name, value, size, info, other, shndx = struct.unpack_from("<3I2BH", table, at)
        where: int | str = special.get(shndx, shndx)
        if isinstance(where, int) and where >= SHN_LORESERVE:
            where = "*ABS*"
        kind = TYPE_NAMES.get(info & 15, "NOTYPE")
        text = _string(strings, name)
        if kind == "SECTION" and not text and isinstance(where, int):
            text = names.get(where, "")
        view.symbols.append(
            ViewSymbol(text, value, size, kind, BINDING_NAMES.get(info >> 4, "LOCAL"),
                       VISIBILITY_NAMES[other & 3], where)
        )  # fmt: skip


def _load_addresses(view: View, data: bytes, phoff: int, phnum: int, size: int) -> None:
    if size != PHDR_SIZE or phoff + phnum * PHDR_SIZE > len(data):
        return
    for i in range(phnum):
        kind, _, vaddr, paddr, _, memsz = struct.unpack_from("<6I", data, phoff + i * PHDR_SIZE)
        if kind != PT_LOAD:
            continue
        for section in view.sections:
            if section.loaded and vaddr <= section.address < vaddr + memsz:
                section.load = (section.address - vaddr + paddr) & 0xFFFF_FFFF
