"""Objects as the linker sees them: the sections, symbols and fixups of a unit, but no source.

An ``ObjectUnit`` offers the linker what a ``Unit`` does.  Its places are numbers of relocations,
so that a mistake names the section and offset, and the function around it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import sections
from .diagnostics import Diagnostic, Place, Problem, Reporter
from .elfdefs import (
    R_32,
    R_32_PCREL,
    R_64,
    R_ADD8,
    R_ALIGN,
    R_BRANCH,
    R_CALL,
    R_CALL_PLT,
    R_HI20,
    R_JAL,
    R_LO12_I,
    R_LO12_S,
    R_NONE,
    R_PCREL_HI20,
    R_PCREL_LO12_I,
    R_PCREL_LO12_S,
    R_RELAX,
    R_SET6,
    R_SET32,
    R_SET_ULEB128,
    R_SUB6,
    R_SUB64,
    R_SUB_ULEB128,
    SHT_RISCV_ATTRIBUTES,
    VISIBILITIES,
    relocation_name,
)
from .explicit import SILENT
from .objects import (
    ABSOLUTE_INDEX,
    COMMON_INDEX,
    UNDEFINED_INDEX,
    ObjectFile,
    ObjectSection,
    ObjectSymbol,
    Relocation,
)
from .sections import SHF_ALLOC, SHF_EXCLUDE, SHF_GROUP, SHT_NOBITS, Fixup, Section
from .values import (
    ABSOLUTE,
    COMMON,
    GLOBAL_BINDING,
    LABEL,
    LOCAL_BINDING,
    UNDEFINED,
    WEAK_BINDING,
    Bound,
    Rel,
    Symbol,
)

if TYPE_CHECKING:
    from .unit import Unit

_KINDS = {
    R_BRANCH: sections.BRANCH, R_JAL: sections.JAL,
    R_CALL: sections.CALL, R_CALL_PLT: sections.CALL, R_PCREL_HI20: sections.PCREL_HI20,
    R_PCREL_LO12_I: sections.PCREL_LO12_I, R_PCREL_LO12_S: sections.PCREL_LO12_S,
    R_HI20: sections.HI20, R_LO12_I: sections.LO12_I, R_LO12_S: sections.LO12_S,
    **{
        kind: sections.RAW + kind
        for kind in (
            R_32, R_64, *range(R_ADD8, R_SUB64 + 1), R_SUB6, *range(R_SET6, R_SET32 + 1),
            R_32_PCREL, R_SET_ULEB128, R_SUB_ULEB128,
        )
    },
}  # fmt: skip
# Bytes that a relocation changes.
_SIZES = {
    R_32: 4, R_64: 8, R_CALL: 8, R_CALL_PLT: 8, 33: 1, 34: 2, 35: 4, 36: 8, 37: 1, 38: 2, 39: 4,
    40: 8, R_SUB6: 1, 53: 1, 54: 1, 55: 2, 56: 4, R_SET_ULEB128: 1, R_SUB_ULEB128: 1,
}  # fmt: skip
# What remains of an instruction without the immediate that a relocation fills in.
_KEPT_BITS = {
    R_BRANCH: 0x01FF_F07F, R_JAL: 0xFFF, R_CALL: 0xFFF, R_CALL_PLT: 0xFFF, R_PCREL_HI20: 0xFFF,
    R_HI20: 0xFFF, R_LO12_I: 0xF_FFFF, R_PCREL_LO12_I: 0xF_FFFF, R_LO12_S: 0x01FF_F07F,
    R_PCREL_LO12_S: 0x01FF_F07F,
}  # fmt: skip
_BINDINGS = {"LOCAL": LOCAL_BINDING, "GLOBAL": GLOBAL_BINDING, "WEAK": WEAK_BINDING}
# Sections of single objects that a program has no use for, or has one of its own.
_DROPPED = frozenset([".note.GNU-stack", ".gnu.lto_.profile"])


class ObjectPositions:
    """Tells where a relocation stands: the file, the section and the function."""

    def __init__(self, unit: ObjectUnit) -> None:
        self.unit = unit

    def locate(self, place: int) -> Place:
        """The object's name with the section and offset; objects have no lines."""
        return Place(self.unit.describe(place), 0)

    def text(self, place: int) -> str:
        """There is no source text."""
        return ""

    def chain(self, place: int) -> tuple[tuple[str, Place], ...]:
        """There are no macros."""
        return ()


class ObjectUnit:
    """One object file under linking."""

    def __init__(self, obj: ObjectFile, reporter: Reporter) -> None:
        self.name = obj.name
        self.object = obj
        self.reporter = reporter
        self.positions = ObjectPositions(self)
        self.sections: dict[str, Section] = {}
        self.symbols: dict[str, Symbol] = {}
        self.place = -1
        self._table: list[Symbol] = []
        self._places: list[tuple[Section, int]] = []
        self._functions: dict[int, tuple[list[int], list[str]]] = {}

    def lift(self, dropped_groups: Iterable[str] = ()) -> None:
        """Make sections, symbols and fixups; mistakes go to the reporter.

        Of a group whose signature is among ``dropped_groups`` another object has the sections.
        """
        obj = self.object
        dropped = set(dropped_groups)
        made: list[Section | None] = []
        cuts: list[_Cuts] = []
        for number, s in enumerate(obj.sections):
            cuts.append(_cuts_of(s))
            gone = s.group >= 0 and obj.groups[s.group] in dropped
            gone |= bool(s.flags & SHF_EXCLUDE)
            if gone or s.type == SHT_RISCV_ATTRIBUTES or s.name in _DROPPED:
                made.append(None)
                continue
            flags = s.flags & ~SHF_GROUP
            section = Section(s.name, flags, s.type, number, s.entsize, s.align)
            if s.type == SHT_NOBITS:
                section.reserved = s.size
            else:
                section.data = cuts[-1].shortened(s.data)
            section.align = max(section.align, cuts[-1].align)
            key = s.name if s.name not in self.sections else f"{s.name}#{number}"
            self.sections[key] = section
            made.append(section)
        for index, symbol in enumerate(obj.symbols):
            self._table.append(self._symbol(index, symbol, made, cuts))
        for number, section_ in enumerate(made):
            if section_ is not None:
                self._fixups(section_, obj.sections[number].relocations, cuts[number])

    def _symbol(
        self, index: int, symbol: ObjectSymbol, made: list[Section | None], cuts: list[_Cuts]
    ) -> Symbol:
        """The linker's symbol for an entry of the table; entered by name unless it is local."""
        name = symbol.name
        new = Symbol(name, binding=_BINDINGS[symbol.binding], type=symbol.type, size=symbol.size)
        new.declared = True
        new.visibility = VISIBILITIES[symbol.visibility]
        where = symbol.section
        if where == COMMON_INDEX:
            new.state, new.value, new.align = COMMON, symbol.size, max(symbol.value, 1)
            new.type = "OBJECT"
        elif where == ABSOLUTE_INDEX:
            new.state, new.value = ABSOLUTE, symbol.value
        elif where != UNDEFINED_INDEX:
            section = made[where]
            if section is not None:
                cut = cuts[where]
                new.state, new.section = LABEL, section
                new.value = symbol.value - cut.before(symbol.value)
                end = symbol.value + symbol.size
                new.size = symbol.size - (cut.before(end) - cut.before(symbol.value))
        if symbol.type == "SECTION" and new.section is not None:
            new.name = new.section.name
            self.symbols[f"\0{index}"] = new
        elif new.binding == LOCAL_BINDING:
            self.symbols[name if name and name not in self.symbols else f"\0{index}"] = new
        else:
            known = self.symbols.get(name)
            if known is not None:
                if known.binding == LOCAL_BINDING:
                    self.symbols[f"\0{index}"] = known
                elif known.state != UNDEFINED and new.state != UNDEFINED:
                    self._error(f"`{name}` is defined twice in this object")
                elif known.state != UNDEFINED:
                    return known
            self.symbols[name] = new
        return new

    def _fixups(self, section: Section, relocations: list[Relocation], cuts: _Cuts) -> None:
        """What has to be patched in one section."""
        for r in relocations:
            if r.type in (R_NONE, R_RELAX, R_ALIGN):
                continue
            offset = r.offset - cuts.before(r.offset)
            place = len(self._places)
            self._places.append((section, offset))
            kind = _KINDS.get(r.type)
            if kind is None:
                self._error(f"{relocation_name(r.type)} is not supported", _hint_for(r.type), place)
                continue
            if offset + _SIZES.get(r.type, 4) > len(section.data):
                self._error(f"{relocation_name(r.type)} reaches behind its section", "", place)
                continue
            _clear(section.data, offset, r.type)
            value: Bound = r.addend & 0xFFFF_FFFF
            if r.symbol >= 0:
                symbol = self._table[r.symbol]
                if symbol.state == UNDEFINED and symbol.binding == LOCAL_BINDING:
                    if section.flags & SHF_ALLOC:
                        self._error(
                            f"this refers to `{symbol.name}` in a section that was left away", "",
                            place,
                        )  # fmt: skip
                        continue
                    value = 0
                else:
                    value = Rel(symbol, r.addend)
            section.fixups.append(Fixup(offset, kind, value, place))

    # -- what a unit offers ------------------------------------------------------------------

    def is_defined(self, name: str) -> bool:
        """Whether the object defines the name."""
        symbol = self.symbols.get(name)
        return symbol is not None and symbol.state != UNDEFINED

    def mark(self, place: Place, word: str) -> Place:
        """There is no source text to mark a word in."""
        return place

    def describe(self, place: int) -> str:
        """`file.o (.text+0x10, in main)`."""
        if not 0 <= place < len(self._places):
            return self.name
        section, offset = self._places[place]
        where = self._function_at(section, offset)
        inside = f", in {where}" if where else ""
        return f"{self.name} ({section.name}+{offset:#x}{inside})"

    def locate_symbol(self, symbol: Symbol) -> str:
        """`file.o (.text+0x10)` of a definition."""
        if symbol.section is None:
            return self.name
        return f"{self.name} ({symbol.section.name}+{symbol.value:#x})"

    def _function_at(self, section: Section, offset: int) -> str:
        found = self._functions.get(id(section))
        if found is None:
            rows = sorted(
                (s.value, s.name)
                for s in self.symbols.values()
                if s.section is section and s.type == "FUNC"
            )
            found = [value for value, _ in rows], [name for _, name in rows]
            self._functions[id(section)] = found
        index = bisect_right(found[0], offset) - 1
        return found[1][index] if index >= 0 else ""

    def report(self, problem: Problem) -> None:
        """A mistake at the present place."""
        self.reporter.add(
            Diagnostic(
                "error", problem.message, self.describe(self.place), 0,
                expected=problem.expected, notes=problem.notes, hint=problem.hint,
            )
        )  # fmt: skip

    def diagnose(
        self, place: int, severity: str, message: str, start: int, end: int, **more: str
    ) -> None:
        """A mistake at a place."""
        self.reporter.add(Diagnostic(severity, message, self.describe(place), 0, **more))  # type: ignore[arg-type]

    def _error(self, message: str, hint: str = "", place: int = -1) -> None:
        self.reporter.add(Diagnostic("error", message, self.describe(place), 0, hint=hint))


def apply_explicit(unit: Unit) -> None:
    """The relocations that a source writes itself (`.reloc`), as fixups of its sections."""
    for item in unit.explicit:
        unit.place = item.place
        if item.type in SILENT:
            continue
        kind = _KINDS.get(item.type)
        if kind is None:
            message = f"{relocation_name(item.type)} is not supported"
            unit.report(Problem(message, operand=1, hint=_hint_for(item.type)))
        elif item.offset + _SIZES.get(item.type, 4) > len(item.section.data):
            unit.report(
                Problem(f"{relocation_name(item.type)} reaches behind its section", operand=0)
            )
        else:
            _clear(item.section.data, item.offset, item.type)
            item.section.fixups.append(Fixup(item.offset, kind, item.value, item.place))
    unit.explicit.clear()


def _clear(data: bytearray, offset: int, kind: int) -> None:
    """Take the immediate away that a relocation fills in."""
    kept = _KEPT_BITS.get(kind)
    if kept is not None:
        _keep(data, offset, kept)
        if _KINDS[kind] == sections.CALL:
            _keep(data, offset + 4, 0xF_FFFF)


def _keep(data: bytearray, at: int, bits: int) -> None:
    word = int.from_bytes(data[at : at + 4], "little") & bits
    data[at : at + 4] = word.to_bytes(4, "little")


def _hint_for(kind: int) -> str:
    if kind in (20, 21, 22):
        return "compile with -fno-pic: programs here have no global offset table"
    if kind in (29, 30, 31, 32, 6, 8, 10):
        return "leave __thread away: there is no thread-local storage here"
    if kind in (44, 45, 46):
        return "compile with -march=rv32ima: there are no compressed instructions here"
    return ""


class _Cuts:
    """Padding that the assembler left in excess for alignment, and that linking takes out."""

    def __init__(self, align: int = 1) -> None:
        self.align = align
        self.starts: list[int] = []
        self.counts: list[int] = []
        self.sums: list[int] = [0]

    def add(self, start: int, count: int) -> None:
        self.starts.append(start)
        self.counts.append(count)
        self.sums.append(self.sums[-1] + count)

    def before(self, offset: int) -> int:
        """How many bytes go in front of an offset."""
        index = bisect_right(self.starts, offset) - 1
        if index < 0:
            return 0
        return self.sums[index] + min(offset - self.starts[index], self.counts[index])

    def shortened(self, data: bytes | bytearray) -> bytearray:
        """The content without them."""
        out = bytearray()
        at = 0
        for start, count in zip(self.starts, self.counts, strict=True):
            out += data[at:start]
            at = start + count
        out += data[at:]
        return out


def _cuts_of(section: ObjectSection) -> _Cuts:
    """R_RISCV_ALIGN: code for a relaxing linker has as much padding as could be needed."""
    cuts = _Cuts()
    for r in sorted((r for r in section.relocations if r.type == R_ALIGN), key=lambda r: r.offset):
        if r.addend <= 0 or r.offset + r.addend > len(section.data):
            continue
        if cuts.starts and r.offset < cuts.starts[-1] + cuts.counts[-1]:
            continue
        align = 1 << r.addend.bit_length()
        cuts.align = max(cuts.align, min(align, 1 << 24))
        at = r.offset - cuts.sums[-1]
        needed = -at % align
        if needed < r.addend:
            cuts.add(r.offset + needed, r.addend - needed)
    return cuts
