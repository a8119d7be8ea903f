"""Reading relocatable objects: every index and range is checked before it is used.

A file that is cut off, overlaps itself or refers to what is not there gives an ObjectError
that says what is wrong and where.
"""

from __future__ import annotations

import struct

from .elfdefs import (
    BINDING_NAMES,
    EF_RISCV_FLOAT_ABI,
    EF_RISCV_RVC,
    EF_RISCV_RVE,
    EHDR_SIZE,
    EM_RISCV,
    ET_REL,
    RELA_SIZE,
    SHDR_SIZE,
    SHN_ABS,
    SHN_COMMON,
    SHN_LORESERVE,
    SHT_GROUP,
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
    SYM_SIZE,
    TYPE_NAMES,
    VISIBILITY_NAMES,
    relocation_name,
)
from .objects import (
    ABSOLUTE_INDEX,
    COMMON_INDEX,
    UNDEFINED_INDEX,
    ObjectFile,
    ObjectSection,
    ObjectSymbol,
    Relocation,
)
from .sections import SHT_NOBITS
from .source import decode

_TYPES = {1: "relocatable object", 2: "executable", 3: "shared object", 4: "core dump"}
_LARGEST_MEMORY = 1 << 30
_LARGEST_ALIGN = 1 << 24
_COMDAT = 1
_HINT = "compile with -march=rv32ima_zicsr_zifencei -mabi=ilp32 -mno-relax"


class ObjectError(Exception):
    """A file that is no object we can link; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.object = ObjectFile(name)
        self.headers: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.kept: dict[int, int] = {}
        self.numbers: list[int] = []
        self.outside: dict[int, str] = {}

    def read(self) -> ObjectFile:
        self.header()
        self.sections()
        tables = [i for i, h in enumerate(self.headers) if h[1] == SHT_SYMTAB]
        if len(tables) > 1:
            raise ObjectError("the file has several symbol tables")
        if tables:
            self.symbols(tables[0])
        self.relocations(tables[0] if tables else -1)
        self.groups(tables[0] if tables else -1)
        return self.object

    def header(self) -> None:
        data = self.data
        if data[:4] != b"\x7fELF":
            raise ObjectError("this is not an ELF file", "sources end in .s, archives in .a")
        if len(data) < EHDR_SIZE:
            raise ObjectError(f"the file is cut off: {len(data)} bytes, its header needs 52")
        if data[4] == 2:
            raise ObjectError("this is a 64-bit object; this machine is RV32", _HINT)
        if data[4] != 1 or data[5] != 1:
            raise ObjectError("this is not a little-endian 32-bit ELF file", _HINT)
        (kind, machine, _, _, _, shoff, flags, _, _, _, shentsize, shnum, shstrndx) = struct.unpack(
            "<2H5I6H", data[16:EHDR_SIZE]
        )
        if machine != EM_RISCV:
            raise ObjectError(f"this object is for another machine (e_machine {machine})", _HINT)
        if kind != ET_REL:
            raise ObjectError(
                f"this is {_article(_TYPES.get(kind, f'an ELF file of type {kind}'))}, "
                "not a relocatable object",
                "only objects (gcc -c, toyvm asm --format obj) can be linked",
            )
        if flags & EF_RISCV_RVC:
            raise ObjectError("this object has compressed instructions, which are missing here",
                              _HINT)  # fmt: skip
        if flags & EF_RISCV_FLOAT_ABI:
            raise ObjectError("this object passes values in floating-point registers", _HINT)
        if flags & EF_RISCV_RVE:
            raise ObjectError("this object is for RV32E with 16 registers", _HINT)
        self.object.flags = flags
        if shoff == 0 or shentsize != SHDR_SIZE:
            raise ObjectError("the file has no section table")
        if shnum == 0 and shoff + SHDR_SIZE <= len(data):
            # More sections than the header can count: the first entry has the number.
            shnum = struct.unpack_from("<I", data, shoff + 20)[0]
            if shstrndx == 0xFFFF:
                shstrndx = struct.unpack_from("<I", data, shoff + 24)[0]
        if shoff + shnum * SHDR_SIZE > len(data):
            raise ObjectError(
                f"the file is cut off: its section table ends at {shoff + shnum * SHDR_SIZE:#x}, "
                f"the file at {len(data):#x}"
            )
        self.headers = [
            struct.unpack_from("<10I", data, shoff + i * SHDR_SIZE) for i in range(shnum)
        ]
        if shstrndx >= len(self.headers):
            raise ObjectError("the table of section names is missing")
        table = self.strings(shstrndx)
        self.names = [self.string(table, h[0], f"the name of section {i}")
                      for i, h in enumerate(self.headers)]  # fmt: skip

    def content(self, number: int) -> bytes:
        """The bytes of a section in the file."""
        header = self.headers[number]
        start, size = header[4], header[5]
        if start + size > len(self.data):
            name = self.names[number] if self.names else str(number)
            raise ObjectError(
                f"section {name} lies outside the file: {start:#x} to {start + size:#x}, the "
                f"file ends at {len(self.data):#x}"
            )
        return self.data[start : start + size]

    def strings(self, number: int) -> bytes:
        if number >= len(self.headers) or self.headers[number][1] != SHT_STRTAB:
            raise ObjectError(f"section {number} should be a string table")
        return self.content(number)

    @staticmethod
    def string(table: bytes, offset: int, what: str) -> str:
        if offset == 0 and not table:
            return ""
        end = table.find(b"\0", offset)
        if offset >= len(table) or end < 0:
            raise ObjectError(f"{what} lies outside its string table")
        if end - offset > 1 << 16:
            raise ObjectError(f"{what} is longer than 64 KiB")
        return decode(table[offset:end])

    def sections(self) -> None:
        stored = 0
        for i, h in enumerate(self.headers):
            name, kind, flags, size, align = self.names[i], h[1], h[2], h[5], h[8]
            if kind in (0, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_REL, SHT_SYMTAB_SHNDX, SHT_GROUP):
                continue
            if align & (align - 1) or align > _LARGEST_ALIGN:
                raise ObjectError(f"section {name} has the alignment {align:#x}")
            if size > _LARGEST_MEMORY:
                raise ObjectError(f"section {name} has {size} bytes, more than 1 GiB")
            data = b"" if kind == SHT_NOBITS else self.content(i)
            stored += len(data)
            if stored > 2 * len(self.data) + (1 << 20):
                raise ObjectError("the sections overlap each other in the file")
            self.kept[i] = len(self.object.sections)
            self.object.sections.append(
                ObjectSection(name, kind, flags, max(align, 1), h[9], data, size)
            )

    def symbols(self, number: int) -> None:
        header = self.headers[number]
        table = self.content(number)
        strings = self.strings(header[6])
        extended = b""
        for i, h in enumerate(self.headers):
            if h[1] == SHT_SYMTAB_SHNDX and h[6] == number:
                extended = self.content(i)
        if len(table) % SYM_SIZE:
            raise ObjectError("the symbol table has a broken size")
        long_names = 0
        self.numbers = [-1]
        self.outside = {}
        for i in range(1, len(table) // SYM_SIZE):
            at, value, size, info, other, shndx = struct.unpack_from("<3I2BH", table, i * SYM_SIZE)
            name = self.string(strings, at, f"the name of symbol {i}")
            long_names += max(len(name) - 256, 0)
            if long_names > 16 << 20:
                raise ObjectError("the names of the symbols take more than 16 MiB")
            binding = BINDING_NAMES.get(info >> 4)
            if binding is None:
                raise ObjectError(f"symbol {name or i} has the unknown binding {info >> 4}")
            kind = TYPE_NAMES.get(info & 15, "NOTYPE")
            if kind == "TLS":
                raise ObjectError(
                    f"`{name}` is thread-local, and there are no threads here",
                    "leave __thread and _Thread_local away",
                )
            if kind == "GNU_IFUNC":
                raise ObjectError(f"`{name}` is chosen at run time (ifunc), which needs a loader")
            if shndx == 0xFFFF and len(extended) >= 4 * i + 4:
                shndx = struct.unpack_from("<I", extended, 4 * i)[0]
                section = self.section_of(shndx, name or str(i))
            elif shndx == 0:
                section = UNDEFINED_INDEX
            elif shndx == SHN_ABS:
                section = ABSOLUTE_INDEX
            elif shndx == SHN_COMMON:
                section = COMMON_INDEX
                if value & (value - 1) or value > _LARGEST_ALIGN or size > _LARGEST_MEMORY:
                    raise ObjectError(f"the common symbol `{name}` has a broken size or alignment")
            elif shndx >= SHN_LORESERVE:
                raise ObjectError(f"symbol {name or i} lies in the unknown section {shndx:#x}")
            else:
                section = self.section_of(shndx, name or str(i))
            if section == UNDEFINED_INDEX and shndx:
                # It lies in a table of the file itself, which no program sees, but it may be the
                # signature of a group.
                self.outside[i] = name
                self.numbers.append(-1)
                continue
            self.numbers.append(len(self.object.symbols))
            self.object.symbols.append(
                ObjectSymbol(
                    name, value, size, "OBJECT" if kind == "COMMON" else kind, binding,
                    VISIBILITY_NAMES[other & 3], section,
                )
            )  # fmt: skip

    def section_of(self, shndx: int, what: str) -> int:
        if shndx >= len(self.headers):
            raise ObjectError(
                f"symbol {what} lies in section {shndx}, the file has {len(self.headers)}"
            )
        return self.kept.get(shndx, UNDEFINED_INDEX)

    def relocations(self, symtab: int) -> None:
        for i, h in enumerate(self.headers):
            if h[1] == SHT_REL:
                raise ObjectError(
                    f"{self.names[i]} has relocations without addends; RISC-V uses RELA only"
                )
            if h[1] != SHT_RELA:
                continue
            if h[7] >= len(self.headers):
                raise ObjectError(f"{self.names[i]} is about a section that is not there")
            target = self.kept.get(h[7])
            if target is None:
                continue
            if h[6] != symtab:
                raise ObjectError(f"{self.names[i]} has no symbol table")
            section = self.object.sections[target]
            table = self.content(i)
            if len(table) % RELA_SIZE:
                raise ObjectError(f"{self.names[i]} has a broken size")
            if section.relocations:
                raise ObjectError(f"section {section.name} has two tables of relocations")
            for at, (offset, info, addend) in enumerate(struct.iter_unpack("<2Ii", table)):
                symbol, kind = info >> 8, info & 0xFF
                if symbol >= max(len(self.numbers), 1):
                    raise ObjectError(
                        f"relocation {at} of {section.name} ({relocation_name(kind)}) names "
                        f"symbol {symbol}, the file has {len(self.numbers)}"
                    )
                if offset > section.size:
                    raise ObjectError(
                        f"relocation {at} of {section.name} ({relocation_name(kind)}) is at "
                        f"{offset:#x}, the section has {section.size:#x} bytes"
                    )
                number = self.numbers[symbol] if symbol else -1
                section.relocations.append(Relocation(offset, kind, number, addend))

    def groups(self, symtab: int) -> None:
        for i, h in enumerate(self.headers):
            if h[1] != SHT_GROUP:
                continue
            words = self.content(i)
            if len(words) < 4 or len(words) % 4:
                raise ObjectError(f"{self.names[i]} has a broken size")
            flag, *members = struct.unpack(f"<{len(words) // 4}I", words)
            if not flag & _COMDAT:
                continue
            number = self.numbers[h[7]] if h[6] == symtab and h[7] < len(self.numbers) else -1
            name = self.outside.get(h[7], "") if h[6] == symtab else ""
            if number >= 0:
                symbol = self.object.symbols[number]
                name = symbol.name
                if symbol.type == "SECTION" and symbol.section >= 0:
                    name = self.object.sections[symbol.section].name
            elif not name:
                raise ObjectError(f"{self.names[i]} has no signature")
            for member in members:
                if member in self.kept:
                    self.object.sections[self.kept[member]].group = len(self.object.groups)
            self.object.groups.append(name)


def _article(text: str) -> str:
    return text if text.startswith("an ") else f"a{'n' if text[0] in 'aeio' else ''} {text}"


def read_object(data: bytes, name: str = "object") -> ObjectFile:
    """The object in an ELF32 file; ObjectError if it is broken or not for this machine."""
    return _Reader(data, name).read()
