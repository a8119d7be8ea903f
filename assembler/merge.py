"""Mergeable strings and constants: every one is kept once, as GNU ld keeps them.

Equal strings of all inputs become one; a string that is the end of another one becomes a part
of it.  What stays, stays in the section that had it first.  Symbols and references into such
sections are led to the new places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .layout import output_name
from .resolve import LinkUnit
from .sections import SHF_MERGE, SHF_STRINGS, Section
from .values import LABEL, Bound, Rel, Symbol, Tree

_SMALLEST, _LARGEST = 1, 4


class _Entry:
    __slots__ = ("align", "data", "offset", "owner", "section")

    def __init__(self, data: bytes, section: Section) -> None:
        self.data = data
        self.align = 1
        self.section = section
        self.offset = 0
        self.owner: _Entry | None = None


def merge_strings(units: Sequence[LinkUnit]) -> None:
    """Merge all sections that allow it, in place."""
    groups: dict[tuple[str, int, int, int], list[Section]] = {}
    for unit in units:
        for section in unit.sections.values():
            if not section.flags & SHF_MERGE or section.nobits or section.fixups:
                continue
            if section.entsize < 1 or section.entsize > 1 << 16 or not section.data:
                continue
            if section.flags & SHF_STRINGS and section.entsize > _LARGEST:
                continue
            if len(section.data) % section.entsize:
                continue
            key = (output_name(section.name)[0], section.flags, section.entsize, section.align)
            groups.setdefault(key, []).append(section)
    moved: dict[int, _Moves] = {}
    for members in groups.values():
        _merge(members, moved)
    if moved:
        for unit in units:
            _redirect(unit, moved)


class _Moves:
    """Where the pieces of one section went: old offsets in rising order."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.entries: list[_Entry] = []
        self.end = 0

    def find(self, offset: int) -> tuple[Section, int]:
        """The section and offset that an old offset became."""
        from bisect import bisect_right

        index = max(bisect_right(self.starts, offset) - 1, 0)
        entry = self.entries[index]
        top = entry.owner or entry
        shift = len(top.data) - len(entry.data) if entry.owner else 0
        return top.section, top.offset + shift + offset - self.starts[index]


def _pieces(section: Section) -> list[bytes] | None:
    """The strings or constants of a section, None if its last string has no end."""
    data, size = bytes(section.data), section.entsize
    if not section.flags & SHF_STRINGS:
        return [data[i : i + size] for i in range(0, len(data), size)]
    if size == 1:
        if data[-1]:
            return None
        return [piece + b"\0" for piece in data[:-1].split(b"\0")]
    out: list[bytes] = []
    start = 0
    for at in range(0, len(data), size):
        if not any(data[at : at + size]):
            out.append(data[start : at + size])
            start = at + size
    return out if start == len(data) else None


def _merge(members: list[Section], moved: dict[int, _Moves]) -> None:
    """Merge the sections of one kind."""
    strings = bool(members[0].flags & SHF_STRINGS)
    align = members[0].align
    table: dict[bytes, _Entry] = {}
    order: list[_Entry] = []
    taken: list[Section] = []
    for section in members:
        pieces = _pieces(section)
        if pieces is None:
            continue
        taken.append(section)
        moves = moved[id(section)] = _Moves()
        at = 0
        for piece in pieces:
            if strings and align > section.entsize and piece == bytes(section.entsize):
                # Zeros between aligned strings are padding, unless a symbol needs them.
                if at % align and at:
                    moves.starts.append(at)
                    moves.entries.append(moves.entries[-1])
                    at += len(piece)
                    continue
            entry = table.get(piece)
            if entry is None:
                entry = table[piece] = _Entry(piece, section)
                order.append(entry)
            wanted = _alignment(at, align) if strings else section.entsize
            entry.align = max(entry.align, wanted)
            moves.starts.append(at)
            moves.entries.append(entry)
            at += len(piece)
    if strings:
        _join_tails(order, members[0].entsize)
    content: dict[int, bytearray] = {id(s): bytearray() for s in taken}
    for entry in order:
        if entry.owner is not None:
            continue
        data = content[id(entry.section)]
        data += bytes(-len(data) % entry.align)
        entry.offset = len(data)
        data += entry.data
    for section in taken:
        section.data = content[id(section)]


def _alignment(offset: int, most: int) -> int:
    """The largest power of two that divides the offset, up to the section's alignment."""
    return most if offset == 0 else min(offset & -offset, most)


def _join_tails(order: Iterable[_Entry], entsize: int) -> None:
    """A string that ends another one, at a place that is aligned well enough, is part of it."""
    ranked = sorted(order, key=lambda e: e.data[::-1])
    longest: _Entry | None = None
    for entry in reversed(ranked):
        if longest is not None and longest.data.endswith(entry.data):
            shift = len(longest.data) - len(entry.data)
            if shift % entsize == 0 and shift % entry.align == 0 and longest.align >= entry.align:
                entry.owner = longest
                continue
        longest = entry


def _redirect(unit: LinkUnit, moved: dict[int, _Moves]) -> None:
    """Lead the symbols and references of a unit to the new places."""
    done: set[int] = set()

    def new_base(symbol: Symbol) -> None:
        if id(symbol) in done:
            return
        done.add(id(symbol))
        if symbol.state == LABEL and symbol.section is not None and symbol.type != "SECTION":
            moves = moved.get(id(symbol.section))
            if moves is not None and moves.entries:
                symbol.section, symbol.value = moves.find(symbol.value)

    def new_value(value: Bound) -> Bound:
        if isinstance(value, Tree):
            b = None if value.b is None else new_value(value.b)
            return Tree(value.op, new_value(value.a), b, value.nodes)
        if not isinstance(value, Rel):
            return value
        base = value.base
        section = base if isinstance(base, Section) else None
        offset = value.addend
        if isinstance(base, Symbol):
            if base.type != "SECTION" or base.state != LABEL:
                new_base(base)
                return value
            section, offset = base.section, base.value + offset
        moves = moved.get(id(section))
        if moves is None or not moves.entries:
            return value
        return Rel(*moves.find(offset))

    for symbol in unit.symbols.values():
        new_base(symbol)
    for section in unit.sections.values():
        for fixup in section.fixups:
            value = fixup.value
            if type(value) is Rel:
                # Most references are to sections that were not merged.
                base = value.base
                where = base.section if isinstance(base, Symbol) else base
                if id(where) not in moved:
                    continue
            fixup.value = new_value(value)
