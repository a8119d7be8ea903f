"""What linking gives: segments, the symbol table, and where every byte comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .diagnostics import Problem
from .frames import FILE, INCLUDE
from .image import PF_R, PF_W, PF_X, Row, Segment, SymbolInfo
from .layout import Output
from .lift import ObjectUnit
from .resolve import LinkUnit
from .scripted import ScriptSymbol
from .sections import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, Section
from .unit import Unit
from .values import (
    EXPRESSION,
    GLOBAL_BINDING,
    LABEL,
    LOCAL_BINDING,
    UNDEFINED,
    WEAK_BINDING,
    Rel,
    Symbol,
    Unresolved,
    resolve,
    symbol_address,
)

_BINDINGS = {LOCAL_BINDING: "LOCAL", GLOBAL_BINDING: "GLOBAL", WEAK_BINDING: "WEAK"}


class Results:
    """A linked program."""

    def __init__(
        self,
        units: Sequence[LinkUnit],
        outputs: Sequence[Output],
        provided: Mapping[str, Symbol],
        script_symbols: Sequence[ScriptSymbol] = (),
    ) -> None:
        self.units = units
        self.outputs = outputs
        self.provided = provided
        self.script_symbols = {s.name: s for s in script_symbols}

    def segments(self) -> list[Segment]:
        """Runs of sections with the same permissions."""
        out: list[Segment] = []
        group: list[Output] = []

        def flush() -> None:
            if not group:
                return
            low = group[0].address
            stored = [o for o in group if not o.nobits]
            size = stored[-1].address + stored[-1].size - low if stored else 0
            data = bytearray(size)
            for o in stored:
                data[o.address - low : o.address - low + o.size] = o.content()
            memsz = group[-1].address + group[-1].size - low
            flags = _permissions(group[0])
            out.append(Segment(low, bytes(data), memsz, flags, group[0].load_offset))
            group.clear()

        ordered = sorted(
            (o for o in self.outputs if o.flags & SHF_ALLOC and o.size), key=lambda o: o.address
        )
        for o in ordered:
            if group and not _joins(group[-1], o, group[0]):
                flush()
            group.append(o)
        flush()
        return out

    def symbol_table(self) -> list[SymbolInfo]:
        """All symbols, local ones first as ELF wants it; assembler-local names left away."""
        names = {id(s): o.name for o in self.outputs for s in o.sections}
        local: list[SymbolInfo] = []
        shared: list[SymbolInfo] = []
        done: set[int] = set()
        for unit in self.units:
            for symbol in unit.symbols.values():
                if symbol.weakref is not None:
                    continue
                if symbol.state == UNDEFINED or symbol.target is not None or id(symbol) in done:
                    continue
                if symbol.binding == LOCAL_BINDING and _is_internal(symbol):
                    continue
                done.add(id(symbol))
                section, value = self.location(symbol)
                if section is not None and id(section) not in names:
                    # It lies in a section that the script discards.
                    continue
                try:
                    size = resolve(symbol.size) & 0xFFFF_FFFF
                except (Unresolved, Problem):
                    size = 0
                info = SymbolInfo(
                    symbol.name, value & 0xFFFF_FFFF, size, symbol.type or "NOTYPE",
                    _BINDINGS[symbol.binding], names.get(id(section), ""), unit.name,
                )  # fmt: skip
                (local if symbol.binding == LOCAL_BINDING else shared).append(info)
        for name, symbol in self.provided.items():
            made = self.script_symbols.get(name)
            if made is not None and made.unused:
                continue
            inside = made.section if made is not None else ""
            hidden = made is not None and made.hidden
            binding = "LOCAL" if hidden else "GLOBAL"
            info = SymbolInfo(name, symbol.value, 0, "NOTYPE", binding, inside, "")
            (local if hidden else shared).append(info)
        return local + shared

    def location(self, symbol: Symbol) -> tuple[Section | None, int]:
        """The section and final value of a symbol; reports what cannot be worked out."""
        section = symbol.section if symbol.state == LABEL else None
        if symbol.state == EXPRESSION and isinstance(symbol.bound, Rel):
            base = symbol.bound.base
            section = base if isinstance(base, Section) else base.section
        try:
            return section, symbol_address(symbol)
        except (Unresolved, Problem):
            return None, 0

    def mapping(self) -> list[tuple[str, int, str]]:
        """(name, address, output section) of the symbols that tell code from data."""
        out: list[tuple[str, int, str]] = []
        names = {id(s): o.name for o in self.outputs for s in o.sections}
        for unit in self.units:
            for section in unit.sections.values():
                if id(section) in names and not isinstance(unit, ObjectUnit):
                    where = names[id(section)]
                    out += [(n, section.address + o, where) for o, n in section.mapping()]
            if isinstance(unit, ObjectUnit):
                for symbol in unit.symbols.values():
                    if symbol.name.startswith("$") and id(symbol.section) in names:
                        where = names[id(symbol.section)]
                        address = symbol_address(symbol) & 0xFFFF_FFFF
                        out.append((symbol.name, address, where))
        return out

    # -- where bytes come from ---------------------------------------------------------------

    def pieces(self) -> Iterator[tuple[Unit, Section, int, int, int]]:
        """(unit, section, offset, end, packed position) of all content that is not empty."""
        for unit in self.units:
            if isinstance(unit, ObjectUnit):
                continue
            for section in unit.sections.values():
                offsets = section.row_offsets
                ends = [*offsets[1:], len(section.data)]
                for offset, end, place_ in zip(offsets, ends, section.row_places, strict=False):
                    if end > offset:
                        yield unit, section, offset, end, place_

    def lines(self) -> list[tuple[int, str, int]]:
        """(address, file, line) where the line changes, for all loaded content."""
        out: list[tuple[int, str, int]] = []
        for unit in self.units:
            if isinstance(unit, ObjectUnit):
                continue
            for section in unit.sections.values():
                if not section.flags & SHF_ALLOC:
                    continue
                base, offsets = section.address, section.row_offsets
                ends = [*offsets[1:], len(section.data)]
                places = unit.positions.outermosts(section.row_places)
                out += [
                    (base + offset, file, line)
                    for offset, end, (file, line) in zip(offsets, ends, places, strict=False)
                    if end > offset
                ]
        out.sort(key=lambda row: row[0])
        kept: list[tuple[int, str, int]] = []
        for row in out:
            if not kept or kept[-1][1:] != row[1:]:
                kept.append(row)
        return kept

    def rows(self) -> list[Row]:
        """All content with the line that it comes from."""
        out: list[Row] = []
        data = {
            (id(section), section.row_offsets[index])
            for unit in self.units
            for section in unit.sections.values()
            for index in section.data_rows
        }
        for unit, section, offset, end, place_ in self.pieces():
            positions = unit.positions
            file, line = positions.outermost(place_)
            depth = positions.frame(place_).depth
            text = positions.text(place_)
            code = section.code and (id(section), offset) not in data
            out.append(Row(section.address + offset, end - offset, file, line, text, depth, code))
        return out

    def sources(self) -> dict[str, str]:
        """The text of every source and included file by name."""
        units = [unit for unit in self.units if isinstance(unit, Unit)]
        frames = [f for unit in units for f in unit.positions.frames]
        return {f.file: "\n".join(f.shown) for f in frames if f.kind in (FILE, INCLUDE)}


def _is_internal(symbol: Symbol) -> bool:
    """Names that assemblers and compilers make for themselves."""
    name = symbol.name
    return not name or name.startswith((".L", "$")) or symbol.type in ("SECTION", "FILE")


def _permissions(output: Output) -> int:
    flags = PF_R
    if output.flags & SHF_WRITE:
        flags |= PF_W
    if output.flags & SHF_EXECINSTR:
        flags |= PF_X
    return flags


def _joins(last: Output, following: Output, first: Output) -> bool:
    """Whether a section continues a segment: same access, close by, bytes before zeros."""
    if bool(first.flags & SHF_WRITE) != bool(following.flags & SHF_WRITE):
        return False
    if last.nobits and not following.nobits:
        return False
    if last.load_offset != following.load_offset:
        return False
    return following.address - (last.address + last.size) < 0x1000
