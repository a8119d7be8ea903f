"""Sections of one unit: their content, what is still to be patched, and their attributes."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .diagnostics import Problem
from .elfstrings import ARCH

if TYPE_CHECKING:
    from .values import Bound

# Section flags and types, as in the ELF specification (System V ABI, chapter 4).
SHF_WRITE = 0x1
SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4
SHF_MERGE = 0x10
SHF_STRINGS = 0x20
SHF_LINK_ORDER = 0x80
SHF_GROUP = 0x200
SHF_TLS = 0x400
SHF_RETAIN = 0x20_0000
SHF_EXCLUDE = 0x8000_0000
FOR_LINKERS = SHF_MERGE | SHF_STRINGS | SHF_LINK_ORDER | SHF_GROUP | SHF_RETAIN
"""Flags that say something to linkers and are gone once a program is linked."""

SHT_PROGBITS = 1
SHT_NOTE = 7
SHT_NOBITS = 8
SHT_INIT_ARRAY = 14
SHT_FINI_ARRAY = 15
SHT_PREINIT_ARRAY = 16

FLAG_LETTERS = {
    "a": SHF_ALLOC, "w": SHF_WRITE, "x": SHF_EXECINSTR, "M": SHF_MERGE, "S": SHF_STRINGS,
    "G": SHF_GROUP, "T": SHF_TLS, "o": SHF_LINK_ORDER, "e": SHF_EXCLUDE, "R": SHF_RETAIN,
}  # fmt: skip

TYPE_NAMES = {
    "progbits": SHT_PROGBITS, "nobits": SHT_NOBITS, "note": SHT_NOTE,
    "init_array": SHT_INIT_ARRAY, "fini_array": SHT_FINI_ARRAY,
    "preinit_array": SHT_PREINIT_ARRAY,
}  # fmt: skip

_READ = SHF_ALLOC
_CODE = SHF_ALLOC | SHF_EXECINSTR
_DATA = SHF_ALLOC | SHF_WRITE

# Names that have attributes of their own, and whether names with a further ".suffix" share them.
_KNOWN: dict[str, tuple[int, int]] = {
    ".text": (_CODE, SHT_PROGBITS),
    ".init": (_CODE, SHT_PROGBITS),
    ".fini": (_CODE, SHT_PROGBITS),
    ".data": (_DATA, SHT_PROGBITS),
    ".data1": (_DATA, SHT_PROGBITS),
    ".sdata": (_DATA, SHT_PROGBITS),
    ".rodata": (_READ, SHT_PROGBITS),
    ".rodata1": (_READ, SHT_PROGBITS),
    ".bss": (_DATA, SHT_NOBITS),
    ".sbss": (_DATA, SHT_NOBITS),
    ".tdata": (_DATA | SHF_TLS, SHT_PROGBITS),
    ".tbss": (_DATA | SHF_TLS, SHT_NOBITS),
    ".init_array": (_DATA, SHT_INIT_ARRAY),
    ".fini_array": (_DATA, SHT_FINI_ARRAY),
    ".preinit_array": (_DATA, SHT_PREINIT_ARRAY),
    ".note": (0, SHT_NOTE),
}


def default_attributes(name: str) -> tuple[int, int] | None:
    """(flags, type) that a section has by its name alone, or None if the name says nothing."""
    found = _KNOWN.get(name)
    if found is not None:
        return found
    for known in (".text", ".data", ".rodata", ".bss", ".sdata", ".sbss", ".note",
                  ".init_array", ".fini_array", ".preinit_array"):  # fmt: skip
        if name.startswith(known + "."):
            return _KNOWN[known]
    return None


# Kinds of places to patch, named after the RISC-V ELF relocations they amount to.
BRANCH = 1
JAL = 2
CALL = 3
PAIR_I = 4
PAIR_S = 5
HI20 = 6
LO12_I = 7
LO12_S = 8
PCREL_HI20 = 9
PCREL_LO12_I = 10
PCREL_LO12_S = 11
DATA8 = 12
DATA16 = 13
DATA32 = 14
DATA64 = 15

# Relocations of objects that no source of ours leads to: RAW plus the number of the psABI.
RAW = 0x100

DATA_KINDS = {1: DATA8, 2: DATA16, 4: DATA32, 8: DATA64}
DATA_SIZES = {kind: size for size, kind in DATA_KINDS.items()}


@dataclass(slots=True)
class Fixup:
    """A place in a section whose bytes depend on a value that is known later.

    CALL, PAIR_I and PAIR_S cover two instructions: auipc, then jalr, a load or addi, or a
    store.  ``place`` is the packed source position.
    """

    offset: int
    kind: int
    value: Bound
    place: int


class Steps:
    """Distances in a line table of an object: the two bytes at ``at`` of the table are to hold
    ``high - low``, both offsets in ``code``.  There is one for nearly every instruction."""

    def __init__(self, code: Section) -> None:
        self.code = code
        self.at = array("Q")
        self.low = array("Q")
        self.high = array("Q")

    def add(self, at: int, low: int, high: int) -> None:
        """One more distance."""
        self.at.append(at)
        self.low.append(low)
        self.high.append(high)


@dataclass(eq=False, slots=True)
class Section:
    """One section of one unit.

    ``data`` is the content; a NOBITS section has none and only counts ``reserved`` bytes.
    ``row_offsets`` and ``row_places`` map content to source: where each statement's bytes begin,
    in rising order, and its packed source position; ``data_rows`` numbers those that are no
    instructions, and ``marks`` has what else changes between code ("$x") and data ("$d").
    ``label_offsets`` says where labels stand in code.
    ``address`` is the final address of the first byte, set by the layout.
    ``parts`` are the subsections by number; one of them has its section as ``parent`` and
    begins ``shift`` bytes behind its start once the source is read (-1 before).  ``commons`` are
    such parts for ``.lcomm``.  ``steps`` are distances that an object leaves to the linker.
    ``group`` is the signature of the section group that it belongs to, of which a linker keeps one
    if it is ``comdat``; ``linked`` names what an "o" section stands behind.
    """

    name: str
    flags: int
    type: int
    index: int
    entsize: int = 0
    align: int = 1
    data: bytearray = field(default_factory=bytearray)
    reserved: int = 0
    row_offsets: array[int] = field(default_factory=lambda: array("Q"))
    row_places: array[int] = field(default_factory=lambda: array("Q"))
    label_offsets: array[int] = field(default_factory=lambda: array("Q"))
    fixups: list[Fixup] = field(default_factory=list)
    address: int = 0
    data_rows: array[int] = field(default_factory=lambda: array("Q"))
    marks: list[tuple[int, str]] = field(default_factory=list)
    parent: Section | None = None
    parts: dict[int, Section] = field(default_factory=dict)
    commons: list[Section] = field(default_factory=list)
    shift: int = -1
    steps: list[Steps] = field(default_factory=list)
    group: str = ""
    comdat: bool = False
    linked: str = ""

    def set_address(self, address: int) -> None:
        """Give the section its final address, and its subsections theirs."""
        self.address = address
        for part in (*self.parts.values(), *self.commons):
            part.address = address + part.shift

    @property
    def nobits(self) -> bool:
        """Whether the section occupies memory but no bytes of the file."""
        return self.type == SHT_NOBITS

    @property
    def code(self) -> bool:
        """Whether it holds instructions."""
        return bool(self.flags & SHF_EXECINSTR)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return self.reserved if self.type == SHT_NOBITS else len(self.data)

    def note(self, place: int, code: bool = False) -> None:
        """The next bytes come from this packed source position; ``code`` are instructions."""
        rows = len(self.row_places)
        if rows and self.row_places[-1] == place:
            was_data = bool(self.data_rows) and self.data_rows[-1] == rows - 1
            if was_data != code:
                return
        if not code:
            self.data_rows.append(rows)
        self.row_offsets.append(len(self.data))
        self.row_places.append(place)

    def mapping(self, arch: str = ARCH) -> list[tuple[int, str]]:
        """(offset, "$x" or "$d") where code and data change places; none in other sections.

        The name of the first "$x" carries the instruction set, as GNU as writes it.
        """
        if not self.code or self.nobits:
            return []
        # Only rows at borders count: the first, data and what follows it or a mark.
        data = frozenset(self.data_rows)
        offsets = self.row_offsets
        rows = {0, *data, *(row + 1 for row in data)}
        rows.update(bisect_left(offsets, offset) for offset, _ in self.marks)
        found = [
            (offsets[row], 0, "$d" if row in data else "$x")
            for row in sorted(rows)
            if row < len(offsets)
        ]
        if self.marks:
            found += [(offset, -1, name) for offset, name in self.marks if offset < self.size]
            found.sort()
        out: list[tuple[int, str]] = []
        for offset, _, name in found:
            if out and out[-1][0] == offset:
                out.pop()
            if not out or out[-1][1] != name:
                out.append((offset, name))
        for number, (offset, name) in enumerate(out):
            if name == "$x":
                out[number] = offset, f"$x{arch}"
                break
        return out

    def pad_to(self, alignment: int, fill: bytes | None) -> None:
        """Append bytes up to a multiple of ``alignment``, as GNU as pads.

        ``fill`` is a pattern; None means zeros in data and instructions that do nothing in
        code.
        """
        self.append_padding(-self.size % alignment, fill)

    def append_padding(self, count: int, fill: bytes | None) -> None:
        """Append ``count`` bytes of padding, a multiple of the pattern's length."""
        if self.nobits:
            self.reserved += count
        elif fill:
            if self.code:
                self.marks.append((len(self.data), "$d"))
            self.data += fill * (count // len(fill))
        elif self.code and fill is None:
            if count & 1:
                self.marks.append((len(self.data), "$d"))
            self.marks.append((len(self.data) + (count & 1), "$x"))
            self.data += code_padding(count)
        else:
            self.data += bytes(count)


NOP = (0x0000_0013).to_bytes(4, "little")
_SHORT_NOP = (0x0001).to_bytes(2, "little")


def code_padding(count: int) -> bytes:
    """``count`` bytes between instructions: zeros and a 2-byte nop up to a word, then nops."""
    head = bytes(count & 1) + (_SHORT_NOP if count & 2 else b"")
    return head + NOP * (count // 4)


_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")


def parse_flags(text: str) -> int:
    """The flags of ``.section NAME, "flags"``: letters and numbers; Problem for others."""
    flags = at = 0
    while at < len(text):
        letter = text[at]
        number = _NUMBER.match(text, at)
        if number is not None:
            digits = number[0]
            octal = digits[0] == "0" and digits[1:2] not in ("x", "X")
            value = int(digits, 8) if octal else int(digits, 0)
            if value >> 32:
                raise Problem(f"the flags {digits} do not fit in 32 bits", operand=1)
            flags |= value
            at = number.end()
            continue
        if letter in FLAG_LETTERS:
            flags |= FLAG_LETTERS[letter]
        elif letter != "?":
            raise Problem(
                f"`{letter}` is not a section flag",
                operand=1,
                expected="letters of a (allocated), w (writable), x (executable), M, S, G, e, o, "
                "R, or the flags as a number",
            )
        at += 1
    return flags
