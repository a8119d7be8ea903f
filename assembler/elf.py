"""ELF32 files: an executable with program headers, sections and symbols.

Source: System V ABI, chapters 4 and 5; RISC-V ELF psABI specification 1.0, chapter 8.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .layout import PAGE
from .sections import SHF_ALLOC
from .source import encode

if TYPE_CHECKING:
    from .image import Image

_ET_EXEC = 2
_EM_RISCV = 243
_PT_LOAD = 1
_SHT_SYMTAB = 2
_SHT_STRTAB = 3
_SHT_RISCV_ATTRIBUTES = 0x7000_0003
_SHN_ABS = 0xFFF1
_EHDR_SIZE, _PHDR_SIZE, _SHDR_SIZE, _SYM_SIZE = 52, 32, 40, 16
_BINDING = {"LOCAL": 0, "GLOBAL": 1, "WEAK": 2}
_TYPE = {"NOTYPE": 0, "OBJECT": 1, "FUNC": 2, "SECTION": 3, "FILE": 4, "TLS": 6}

ARCH = "rv32i2p1_m2p0_a2p1_zicsr2p0_zifencei2p0"
"""The instruction set as the attributes section names it."""


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


def attributes() -> bytes:
    """The content of .riscv.attributes: stack alignment 16 and the instruction set."""
    tags = b"\x04\x10" + b"\x05" + ARCH.encode() + b"\0"
    sub = b"\x01" + struct.pack("<I", len(tags) + 5) + tags
    vendor = b"riscv\0"
    return b"A" + struct.pack("<I", len(sub) + len(vendor) + 4) + vendor + sub


def executable(image: Image) -> bytes:
    """The whole file."""
    outputs = [o for o in image.outputs if o.size]
    segments = image.segments
    out = bytearray(_EHDR_SIZE + _PHDR_SIZE * len(segments))
    starts: list[int] = []
    for segment in segments:
        # The offset in the file and the address agree modulo the page size.
        offset = len(out) + (segment.addr - len(out)) % PAGE
        out += bytes(offset - len(out)) + segment.data
        starts.append(offset)
    for i, segment in enumerate(segments):
        struct.pack_into(
            "<8I", out, _EHDR_SIZE + i * _PHDR_SIZE, _PT_LOAD, starts[i], segment.addr,
            segment.addr, len(segment.data), segment.memsz, segment.flags, PAGE,
        )  # fmt: skip
    names = Strings()
    headers = [bytes(_SHDR_SIZE)]
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
    header(".riscv.attributes", _SHT_RISCV_ATTRIBUTES, 0, 0, len(out), len(content), 0, 0, 1, 0)
    out += content
    strings = Strings()
    symbols, first_global = _symbols(image, index, strings)
    out += bytes(-len(out) % 4)
    header(
        ".symtab", _SHT_SYMTAB, 0, 0, len(out), len(symbols), len(headers) + 1, first_global, 4,
        _SYM_SIZE,
    )  # fmt: skip
    out += symbols
    header(".strtab", _SHT_STRTAB, 0, 0, len(out), len(strings.data), 0, 0, 1, 0)
    out += strings.data
    names.add(".shstrtab")
    header(".shstrtab", _SHT_STRTAB, 0, 0, len(out), len(names.data), 0, 0, 1, 0)
    out += names.data
    out += bytes(-len(out) % 4)
    table = len(out)
    out += b"".join(headers)
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    struct.pack_into(
        "<16s2H5I6H", out, 0, ident, _ET_EXEC, _EM_RISCV, 1, image.entry, _EHDR_SIZE if segments
        else 0, table, 0, _EHDR_SIZE, _PHDR_SIZE, len(segments), _SHDR_SIZE, len(headers),
        len(headers) - 1,
    )  # fmt: skip
    return bytes(out)


def _symbols(image: Image, index: dict[str, int], strings: Strings) -> tuple[bytes, int]:
    """The symbol table, local symbols first behind their files' names, and the first global."""
    local = [bytes(_SYM_SIZE)]
    shared: list[bytes] = []
    unit = ""
    for s in image.symtab:
        if s.binding == "LOCAL" and s.unit != unit:
            unit = s.unit
            name = strings.add(unit.rsplit("/", 1)[-1])
            local.append(struct.pack("<3I2BH", name, 0, 0, _TYPE["FILE"], 0, _SHN_ABS))
        section = index.get(s.section, _SHN_ABS)
        info = _BINDING[s.binding] << 4 | _TYPE[s.type]
        entry = struct.pack("<3I2BH", strings.add(s.name), s.value, s.size, info, 0, section)
        (local if s.binding == "LOCAL" else shared).append(entry)
    return b"".join(local + shared), len(local)
