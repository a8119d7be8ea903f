"""Linking: units into one program with final addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

from . import sections
from .diagnostics import Diagnostic, Problem, Reporter, did_you_mean
from .frames import FILE, INCLUDE
from .image import PF_R, PF_W, PF_X, Image, Row, Segment, SymbolInfo
from .layout import Output, collect, place
from .relocations import apply, high_part_of
from .reporting import find_word
from .sections import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, Fixup, Section
from .source import encode
from .unit import Unit
from .values import (
    ABSOLUTE,
    COMMON,
    EXPRESSION,
    GLOBAL_BINDING,
    LABEL,
    LOCAL_BINDING,
    UNDEFINED,
    WEAK_BINDING,
    Bound,
    Rel,
    Symbol,
    Tree,
    Unresolved,
    resolve,
    symbol_address,
)

_BINDINGS = {LOCAL_BINDING: "LOCAL", GLOBAL_BINDING: "GLOBAL", WEAK_BINDING: "WEAK"}
_MEMORY_TOP = 1 << 32
_WORD = (1 << 64) - 1


class Linker:
    """Links the units of one program."""

    def __init__(self, units: Sequence[Unit], reporter: Reporter) -> None:
        self.units = units
        self.reporter = reporter
        self.globals: dict[str, tuple[Symbol, Unit]] = {}
        self.owner: dict[int, Unit] = {}
        self.provided: dict[str, Symbol] = {}
        self.outputs: list[Output] = []
        self.reported: set[str] = set()

    def link(
        self, text_base: int, entry: str | int, fixed: Mapping[str, int]
    ) -> tuple[int, dict[str, int]]:
        """Place and patch everything; returns the entry address and the linker's symbols."""
        self.collect_globals()
        self.allocate_common()
        self.connect()
        everything = [s for unit in self.units for s in unit.sections.values()]
        self.outputs = collect(everything)
        addresses = place(self.outputs, text_base, fixed)
        for name, symbol in self.provided.items():
            symbol.value = addresses[name]
        self.check_memory()
        for unit in self.units:
            self.patch(unit)
        return self.find_entry(entry, text_base), addresses

    # -- symbols -----------------------------------------------------------------------------

    def collect_globals(self) -> None:
        """The table of shared symbols; two strong definitions are an error."""
        for unit in self.units:
            for name, symbol in unit.symbols.items():
                if symbol.state == UNDEFINED or symbol.binding == LOCAL_BINDING:
                    continue
                known = self.globals.get(name)
                if known is None:
                    self.globals[name] = symbol, unit
                    continue
                first, first_unit = known
                if first.state == COMMON and symbol.state == COMMON:
                    first.value = max(first.value, symbol.value)
                    first.align = max(first.align, symbol.align)
                elif first.state == COMMON or first.binding == WEAK_BINDING:
                    if symbol.binding != WEAK_BINDING or first.state == COMMON:
                        self.globals[name] = symbol, unit
                elif symbol.state != COMMON and symbol.binding != WEAK_BINDING:
                    self.duplicate(name, unit, symbol, first_unit, first)

    def duplicate(self, name: str, unit: Unit, symbol: Symbol, other: Unit, first: Symbol) -> None:
        """Two sources define the same global symbol."""
        where = other.positions.locate(first.defined_at)
        place = unit.positions.locate(symbol.defined_at)
        marked = unit.mark(place, name)
        item = Diagnostic(
            "error", f"`{name}` is defined twice", marked.file, marked.line, marked.column,
            marked.end_column, marked.source,
            related=((f"`{name}` is first defined here", other.mark(where, name)),),
            hint="leave `.globl` away in one of the sources, or rename one of them",
        )  # fmt: skip
        self.reporter.add(item)

    def allocate_common(self) -> None:
        """Room for .comm symbols, behind all .bss sections."""
        unit = None
        section = None
        common = [name for name, (symbol, _) in self.globals.items() if symbol.state == COMMON]
        for name in sorted(common, key=_bucket):
            symbol, owner = self.globals[name]
            if section is None or unit is None:
                unit = self.units[-1]
                section = Section(
                    ".bss", SHF_ALLOC | SHF_WRITE, sections.SHT_NOBITS, len(unit.sections)
                )
                unit.sections["COMMON"] = section
            section.align = max(section.align, symbol.align)
            section.pad_to(symbol.align, None)
            symbol.state, symbol.section = LABEL, section
            section.reserved, symbol.value = section.reserved + symbol.value, section.reserved
            self.globals[name] = symbol, owner

    def connect(self) -> None:
        """Lead every undefined, weak or common symbol to its definition."""
        for unit in self.units:
            for name, symbol in list(unit.symbols.items()):
                found = self.globals.get(name)
                if found is not None and found[0] is not symbol:
                    if symbol.state in (UNDEFINED, COMMON) or symbol.binding == WEAK_BINDING:
                        symbol.target = found[0]
                if symbol.state == UNDEFINED and symbol.target is None and name in PROVIDED:
                    known = self.provided.get(name)
                    if known is None:
                        known = self.provided[name] = Symbol(name, ABSOLUTE, binding=GLOBAL_BINDING)
                    symbol.target = known

    # -- addresses ---------------------------------------------------------------------------

    def check_memory(self) -> None:
        """Everything must lie below 2^32, and nothing over something else."""
        ranges = sorted(
            (o.address, o.address + o.size, o.name)
            for o in self.outputs
            if o.flags & SHF_ALLOC and o.size
        )
        for low, high, name in ranges:
            if high > _MEMORY_TOP or low < 0:
                self.plain_error(
                    f"section `{name}` does not fit: it would end at {high:#x}, above 4 GiB",
                    "choose a lower address, or make the section smaller",
                )
        for (_, high, name), (low, _, other) in pairwise(ranges):
            if low < high:
                self.plain_error(
                    f"section `{other}` at {low:#x} lies over section `{name}`",
                    "choose other addresses for them",
                )

    def plain_error(self, message: str, hint: str) -> None:
        """An error of the whole program."""
        name = self.units[0].name if self.units else "<program>"
        self.reporter.add(Diagnostic("error", message, name, 0, hint=hint))

    def find_entry(self, entry: str | int, text_base: int) -> int:
        """The entry address: a symbol, a number, or the beginning of the code."""
        if isinstance(entry, int):
            return entry
        found = self.globals.get(entry)
        if found is not None:
            return symbol_address(found[0]) & 0xFFFF_FFFF
        for unit in self.units:
            symbol = unit.symbols.get(entry)
            if symbol is not None and symbol.state in (LABEL, ABSOLUTE, EXPRESSION):
                return symbol_address(symbol) & 0xFFFF_FFFF
        if entry != "_start":
            known = [n for unit in self.units for n in unit.symbols]
            self.plain_error(
                f"the entry symbol `{entry}` is not defined", did_you_mean(entry, known)
            )
        for output in self.outputs:
            if output.flags & SHF_EXECINSTR and output.size:
                return output.address
        return text_base

    # -- patching ----------------------------------------------------------------------------

    def patch(self, unit: Unit) -> None:
        """Apply all fixups of a unit."""
        highs: dict[tuple[int, int], Fixup] = {}
        for section in unit.sections.values():
            for fixup in section.fixups:
                if fixup.kind in (sections.PCREL_HI20, sections.PAIR_I, sections.PAIR_S):
                    highs[id(section), fixup.offset] = fixup
        for section in unit.sections.values():
            for fixup in section.fixups:
                try:
                    low = fixup.kind in (sections.PCREL_LO12_I, sections.PCREL_LO12_S)
                    value = 0 if low else resolve(fixup.value)
                    low_part = partial(self.pcrel_low, fixup.value, highs)
                    apply(section, fixup, value, low_part)
                except Unresolved as missing:
                    self.unresolved(unit, missing, fixup.place)
                except Problem as problem:
                    self.report(unit, problem, fixup)

    def pcrel_low(self, value: Bound, highs: Mapping[tuple[int, int], Fixup]) -> int:
        """The distance whose low part a %pcrel_lo gives: that of the auipc at its label."""
        resolve(value)
        found = high_part_of(value, highs)
        if found is None:
            raise Problem(
                "the operand of %pcrel_lo is not the label of an auipc with %pcrel_hi",
                hint="put a label before the auipc and name that label, not the symbol",
            )
        section, high = found
        return resolve(high.value) - (section.address + high.offset)

    def unresolved(self, unit: Unit, missing: Unresolved, place: int) -> None:
        """A symbol without a definition: once for each name."""
        name = missing.symbol.name
        if name in self.reported:
            return
        self.reported.add(name)
        where = unit.positions.locate(place)
        source = unit.positions.text(place) if place >= 0 else ""
        start, end = find_word(source, name)
        if missing.circular:
            message, hint = f"`{name}` is defined in terms of itself", ""
        else:
            known = {n for u in self.units for n, s in u.symbols.items() if s.state != UNDEFINED}
            message = f"`{name}` is not defined"
            hint = did_you_mean(name, known)
            elsewhere = [u for u in self.units if u is not unit and u.is_defined(name)]
            if elsewhere:
                hint = f"`{elsewhere[0].name}` defines it: add `.globl {name}` there"
        item = Diagnostic(
            "error", message, where.file, where.line, start + 1 if end else 0,
            end + 1 if end else 0, source, hint=hint, chain=unit.positions.chain(place),
        )  # fmt: skip
        self.reporter.add(item)

    def report(self, unit: Unit, problem: Problem, fixup: Fixup) -> None:
        """A value that does not fit its place: mark the last operand."""
        unit.place = fixup.place
        name = _name_in(fixup.value)
        if name:
            where = find_word(unit.positions.text(fixup.place), name)
            if where[1]:
                unit.diagnose(
                    fixup.place, "error", problem.message, *where, expected=problem.expected,
                    hint=problem.hint,
                )  # fmt: skip
                return
        unit.report(problem)

    # -- results -----------------------------------------------------------------------------

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
            out.append(Segment(low, bytes(data), memsz, _permissions(group[0])))
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
            for name, symbol in unit.symbols.items():
                if symbol.state == UNDEFINED or symbol.target is not None or id(symbol) in done:
                    continue
                if name.startswith(".L") and symbol.binding == LOCAL_BINDING:
                    continue
                done.add(id(symbol))
                section, value = self.location(symbol)
                try:
                    size = resolve(symbol.size) & 0xFFFF_FFFF
                except (Unresolved, Problem):
                    size = 0
                info = SymbolInfo(
                    name, value & 0xFFFF_FFFF, size, symbol.type or "NOTYPE",
                    _BINDINGS[symbol.binding], names.get(id(section), ""), unit.name,
                )  # fmt: skip
                (local if symbol.binding == LOCAL_BINDING else shared).append(info)
        for name, symbol in self.provided.items():
            shared.append(SymbolInfo(name, symbol.value, 0, "NOTYPE", "GLOBAL", "", ""))
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

    def check_definitions(self) -> None:
        """Report symbols whose defining expressions have no value."""
        for unit in self.units:
            for symbol in unit.symbols.values():
                if symbol.state != EXPRESSION:
                    continue
                try:
                    symbol_address(symbol)
                except Unresolved as missing:
                    self.unresolved(unit, missing, symbol.defined_at)
                except Problem as problem:
                    unit.place = symbol.defined_at
                    unit.report(problem)

    # -- where bytes come from ---------------------------------------------------------------

    def pieces(self) -> Iterator[tuple[Unit, Section, int, int, int]]:
        """(unit, section, offset, end, packed position) of all content that is not empty."""
        for unit in self.units:
            for section in unit.sections.values():
                offsets = section.row_offsets
                ends = [*offsets[1:], len(section.data)]
                for offset, end, place_ in zip(offsets, ends, section.row_places, strict=False):
                    if end > offset:
                        yield unit, section, offset, end, place_

    def lines(self) -> list[tuple[int, str, int]]:
        """(address, file, line) where the line changes, for all loaded content."""
        out: list[tuple[int, str, int]] = []
        for unit, section, offset, _, place_ in self.pieces():
            if section.flags & SHF_ALLOC:
                file, line = unit.positions.outermost(place_)
                out.append((section.address + offset, file, line))
        out.sort(key=lambda row: row[0])
        kept: list[tuple[int, str, int]] = []
        for row in out:
            if not kept or kept[-1][1:] != row[1:]:
                kept.append(row)
        return kept

    def rows(self) -> list[Row]:
        """All content with the line that it comes from."""
        out: list[Row] = []
        for unit, section, offset, end, place_ in self.pieces():
            positions = unit.positions
            file, line = positions.outermost(place_)
            depth = positions.frame(place_).depth
            text = positions.text(place_)
            out.append(Row(section.address + offset, end - offset, file, line, text, depth))
        return out

    def sources(self) -> dict[str, str]:
        """The text of every source and included file by name."""
        frames = [f for unit in self.units for f in unit.positions.frames]
        return {f.file: "\n".join(f.shown) for f in frames if f.kind in (FILE, INCLUDE)}


PROVIDED = frozenset(
    ["__etext", "_etext", "etext", "_edata", "edata", "__bss_start", "__BSS_END__", "_end", "end",
     "__DATA_BEGIN__", "__SDATA_BEGIN__", "__global_pointer$"]
)  # fmt: skip
"""Symbols that GNU ld's default script defines; here as well when they are used."""


def _bucket(name: str) -> int:
    """The place of a name in GNU ld's symbol table, which is the order of common storage."""
    value = 0
    for byte in encode(name):
        value = value + byte + (byte << 17) & _WORD
        value ^= value >> 2
    size = len(encode(name))
    value = value + size + (size << 17) & _WORD
    return (value ^ value >> 2) % 4051


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
    return following.address - (last.address + last.size) < 0x1000


def _name_in(value: Bound) -> str:
    """The name of the first symbol in a value, "" if there is none."""
    if isinstance(value, Rel):
        return value.base.name if isinstance(value.base, Symbol) else ""
    if isinstance(value, Tree):
        return _name_in(value.a) or (_name_in(value.b) if value.b is not None else "")
    return ""


def make_image(
    units: Sequence[Unit],
    reporter: Reporter,
    text_base: int,
    entry: str | int,
    fixed: Mapping[str, int],
) -> Image:
    """Link the units; the reporter has the mistakes."""
    linker = Linker(units, reporter)
    entry_address, _ = linker.link(text_base, entry, fixed)
    linker.check_definitions()
    symtab = linker.symbol_table()
    symbols: dict[str, int] = {}
    for info in symtab:
        if info.binding != "LOCAL" or info.name not in symbols:
            symbols[info.name] = info.value
    warnings = [d for d in reporter.diagnostics if d.severity != "error"]
    return Image(
        entry_address, linker.segments(), symbols, symtab, warnings, linker.outputs, linker
    )
