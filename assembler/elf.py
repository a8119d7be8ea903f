"""ELF32 files: an executable with program headers, sections and symbols.

Source: System V ABI, chapters 4 and 5; RISC-V ELF psABI specification 1.0, chapter 8.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .elfdefs import (
    BINDINGS,
    EHDR_SIZE,
    EM_RISCV,
    ET_EXEC,
    PHDR_SIZE,
    PT_LOAD,
    SHDR_SIZE,
    SHN_ABS,
    SHT_RISCV_ATTRIBUTES,
    SHT_STRTAB,
    SHT_SYMTAB,
    SYM_SIZE,
    TYPES,
)
from .elfstrings import Strings, attributes
from .layout import PAGE
from .sections import SHF_ALLOC

if TYPE_CHECKING:
    from .image import Image


def executable(image: Image) -> bytes:
    """The whole file."""
    outputs = [o for o in image.outputs if o.size]
    segments = image.segments
    out = bytearray(EHDR_SIZE + PHDR_SIZE * len(segments))
    starts: list[int] = []
    for segment in segments:
        # The offset in the file and the address agree modulo the page size.
        offset = len(out) + (segment.addr - len(out)) % PAGE
        out += bytes(offset - len(out)) + segment.data
        starts.append(offset)
    for i, segment in enumerate(segments):
        struct.pack_into(
            "<8I", out, EHDR_SIZE + i * PHDR_SIZE, PT_LOAD, starts[i], segment.addr,
            segment.load, len(segment.data), segment.memsz, segment.flags, PAGE,
        )  # fmt: skip
    names = Strings()
    headers = [bytes(SHDR_SIZE)]
    index: dict[str, int] = {}

    def header(name: str, kind: int, flags: int, addr: int, at: int, size: int, *rest: int) -> None:
        headers.append(struct.pack("<10I", names.add(name), kind, flags, addr, at, size, *rest))

    for output in outputs:
        if output.flags & SHF_ALLOC:
            number = next(
                i for i, s in enumerate(segments)
                if s.addr <= output.address and output.address + output.size <= s.addr + s.memsz
            )  # fmt: skip
            stored = min(output.address - segments[number].addr, len(segments[number].data))
            at = starts[number] + stored
        else:
            out += bytes(-len(out) % output.align)
            at = len(out)
            out += output.content()
        index[output.name] = len(headers)
        entsize = max((s.entsize for s in output.sections), default=0)
        header(
            output.name, output.type, output.flags, output.address, at, output.size,
            0, 0, output.align, entsize if output.flags & 0x10 else 0,
        )  # fmt: skip
    content = attributes()
    header(".riscv.attributes", SHT_RISCV_ATTRIBUTES, 0, 0, len(out), len(content), 0, 0, 1, 0)
    out += content
    strings = Strings()
    symbols, first_global = _symbols(image, index, strings)
    out += bytes(-len(out) % 4)
    header(
        ".symtab", SHT_SYMTAB, 0, 0, len(out), len(symbols), len(headers) + 1, first_global, 4,
        SYM_SIZE,
    )  # fmt: skip
    out += symbols
    header(".strtab", SHT_STRTAB, 0, 0, len(out), len(strings.data), 0, 0, 1, 0)
    out += strings.data
    names.add(".shstrtab")
    header(".shstrtab", SHT_STRTAB, 0, 0, len(out), len(names.data), 0, 0, 1, 0)
    out += names.data
    out += bytes(-len(out) % 4)
    table = len(out)
    out += b"".join(headers)
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    struct.pack_into(
        "<16s2H5I6H", out, 0, ident, ET_EXEC, EM_RISCV, 1, image.entry, EHDR_SIZE if segments
        else 0, table, 0, EHDR_SIZE, PHDR_SIZE, len(segments), SHDR_SIZE, len(headers),
        len(headers) - 1,
    )  # fmt: skip
    return bytes(out)


def _symbols(image: Image, index: dict[str, int], strings: Strings) -> tuple[bytes, int]:
    """The symbol table, local symbols first behind their files' names, and the first global."""
    local = [bytes(SYM_SIZE)]
    shared: list[bytes] = []
    if image.origin is not None:
        for mark, address, where in image.origin.mapping():
            inside = index.get(where, SHN_ABS)
            local.append(struct.pack("<3I2BH", strings.add(mark), address, 0, 0, 0, inside))
    unit = ""
    for s in image.symtab:
        if s.binding == "LOCAL" and s.unit != unit:
            unit = s.unit
            name = strings.add(unit.rsplit("/", 1)[-1])
            local.append(struct.pack("<3I2BH", name, 0, 0, TYPES["FILE"], 0, SHN_ABS))
        section = index.get(s.section, SHN_ABS)
        info = BINDINGS[s.binding] << 4 | TYPES[s.type]
        entry = struct.pack("<3I2BH", strings.add(s.name), s.value, s.size, info, 0, section)
        (local if s.binding == "LOCAL" else shared).append(entry)
    return b"".join(local + shared), len(local)
