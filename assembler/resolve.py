"""Symbols of a whole program: which objects belong to it, and who defines what.

Inputs are taken in the order given: units assembled here, objects, and archives, of which only
the members that define something still missing are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from . import sections
from .archive import Archive
from .diagnostics import Diagnostic, Place, Problem, Reporter
from .lift import ObjectUnit, apply_explicit
from .objects import ObjectFile
from .objread import ObjectError
from .sections import SHF_ALLOC, SHF_EXCLUDE, SHF_WRITE, Section
from .source import encode
from .unit import Unit
from .values import (
    ABSOLUTE,
    COMMON,
    GLOBAL_BINDING,
    LABEL,
    LOCAL_BINDING,
    UNDEFINED,
    WEAK_BINDING,
    Symbol,
)

Input: TypeAlias = Unit | ObjectFile | Archive
_WORD = (1 << 64) - 1


class Positions(Protocol):
    """Where places of a unit are."""

    def locate(self, place: int) -> Place: ...
    def text(self, place: int) -> str: ...
    def chain(self, place: int) -> tuple[tuple[str, Place], ...]: ...


LinkUnit: TypeAlias = Unit | ObjectUnit


class Resolver:
    """Collects units and their shared symbols."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.units: list[LinkUnit] = []
        self.globals: dict[str, tuple[Symbol, LinkUnit]] = {}
        self.missing: dict[str, None] = {}
        self.archives: list[Archive] = []
        self.provided: dict[str, Symbol] = {}
        self.signatures: set[str] = set()
        self._taken: set[tuple[int, int]] = set()

    def add_all(self, inputs: Sequence[Input], wanted: Iterable[str]) -> None:
        """Take all inputs; ``wanted`` are names that archives should provide as well."""
        self.missing.update(dict.fromkeys(wanted))
        for item in inputs:
            if isinstance(item, Archive):
                self.archives.append(item)
                self.extract(item)
            elif isinstance(item, ObjectFile):
                self.add_object(item)
            else:
                self.add(item)
        # An archive named before the object that needs it is as good as one behind it.
        while sum(self.extract(archive) for archive in self.archives):
            pass

    def add_object(self, obj: ObjectFile) -> None:
        """An object file; of a group that is there already the sections are left away."""
        unit = ObjectUnit(obj, self.reporter)
        groups = [name for n, name in enumerate(obj.groups) if n not in obj.loose]
        unit.lift([name for name in groups if name in self.signatures])
        self.signatures.update(groups)
        self.add(unit)

    def extract(self, archive: Archive) -> bool:
        """Take members that define what is missing, until none does; whether there was one."""
        found = False
        again = True
        while again:
            again = False
            # In the order of the index, as GNU ld goes through it.
            for name, offset in archive.defining.items():
                if name not in self.missing or (id(archive), offset) in self._taken:
                    continue
                self._taken.add((id(archive), offset))
                try:
                    obj = archive.object_at(offset)
                except ObjectError as error:
                    report_object(self.reporter, archive.name, error)
                    continue
                self.add_object(obj)
                found = again = True
        return found

    def add(self, unit: LinkUnit) -> None:
        """Enter the shared symbols of a unit; two strong definitions are an error."""
        self.units.append(unit)
        if isinstance(unit, Unit):
            _exclude(unit)
            apply_explicit(unit)
        for name, symbol in unit.symbols.items():
            if symbol.state == UNDEFINED:
                if symbol.binding != WEAK_BINDING and name not in self.globals:
                    self.missing[name] = None
                continue
            if symbol.binding == LOCAL_BINDING:
                continue
            self.missing.pop(name, None)
            known = self.globals.get(name)
            if known is None:
                self.globals[name] = symbol, unit
                continue
            first, first_unit = known
            if first.state == COMMON and symbol.state == COMMON:
                # The larger one gives the place, and both their demands count.
                align = max(first.align, symbol.align)
                if symbol.value > first.value:
                    self.globals[name] = symbol, unit
                self.globals[name][0].align = align
            elif first.state == COMMON or first.binding == WEAK_BINDING:
                if symbol.binding != WEAK_BINDING or first.state == COMMON:
                    self.globals[name] = symbol, unit
            elif symbol.state != COMMON and symbol.binding != WEAK_BINDING:
                self.duplicate(name, unit, symbol, first_unit, first)

    def duplicate(
        self, name: str, unit: LinkUnit, symbol: Symbol, other: LinkUnit, first: Symbol
    ) -> None:
        """Two inputs define the same global symbol."""
        place = _definition(unit, symbol)
        where = _definition(other, first)
        hint = "leave `.globl` away in one of the sources, or rename one of them"
        if isinstance(unit, ObjectUnit) or isinstance(other, ObjectUnit):
            hint = "make one of them static (or weak), or rename it"
        item = Diagnostic(
            "error", f"`{name}` is defined twice", place.file, place.line, place.column,
            place.end_column, place.source,
            related=((f"`{name}` is first defined here", where),), hint=hint,
        )  # fmt: skip
        self.reporter.add(item)

    def allocate_common(self) -> None:
        """Room for common symbols: a section in the unit that asked for most."""
        rooms: dict[int, Section] = {}
        common = [name for name, (symbol, _) in self.globals.items() if symbol.state == COMMON]
        for name in sorted(common, key=_bucket):
            symbol, owner = self.globals[name]
            section = rooms.get(id(owner))
            if section is None:
                section = rooms[id(owner)] = Section(
                    "COMMON", SHF_ALLOC | SHF_WRITE, sections.SHT_NOBITS, len(owner.sections)
                )
                owner.sections["\0COMMON"] = section
            section.align = max(section.align, symbol.align)
            section.pad_to(symbol.align, None)
            symbol.size = symbol.value
            symbol.state, symbol.section = LABEL, section
            section.reserved, symbol.value = section.reserved + symbol.value, section.reserved

    def define(self, names: Iterable[str]) -> None:
        """Symbols that a linker script or --defsym defines, whoever else does."""
        for name in names:
            symbol = self.provided[name] = Symbol(name, ABSOLUTE, binding=GLOBAL_BINDING)
            for unit in self.units:
                known = unit.symbols.get(name)
                if known is None:
                    continue
                if known.binding != LOCAL_BINDING or known.state == UNDEFINED:
                    known.target = symbol
            self.globals.pop(name, None)

    def connect(self, offered: Iterable[str]) -> None:
        """Lead every undefined, weak or common symbol to its definition.

        ``offered`` are names that the linker defines if nobody else does and somebody asks.
        """
        offers = frozenset(offered)
        for unit in self.units:
            for name, symbol in list(unit.symbols.items()):
                if symbol.target is not None:
                    continue
                found = self.globals.get(name)
                if found is not None and found[0] is not symbol:
                    shared = symbol.binding == WEAK_BINDING
                    if symbol.state in (UNDEFINED, COMMON) or shared:
                        symbol.target = found[0]
                if symbol.state == UNDEFINED and symbol.target is None and name in offers:
                    known = self.provided.get(name)
                    if known is None:
                        known = self.provided[name] = Symbol(name, ABSOLUTE, binding=GLOBAL_BINDING)
                    symbol.target = known

    def offering(self, name: str) -> Archive | None:
        """An archive that defines the name."""
        return next((a for a in self.archives if name in a.defining), None)


def _exclude(unit: Unit) -> None:
    """Sections with "e" among their flags are for other tools: no program has them."""
    gone = [key for key, s in unit.sections.items() if s.flags & SHF_EXCLUDE]
    dropped = {id(unit.sections.pop(key)) for key in gone}
    if dropped:
        for symbol in unit.symbols.values():
            if symbol.section is not None and id(symbol.section) in dropped:
                symbol.state, symbol.section = UNDEFINED, None


def _definition(unit: LinkUnit, symbol: Symbol) -> Place:
    """Where a unit defines a symbol."""
    if isinstance(unit, ObjectUnit):
        return Place(unit.locate_symbol(symbol), 0)
    return unit.mark(unit.positions.locate(symbol.defined_at), symbol.name)


def report_object(reporter: Reporter, name: str, problem: ObjectError | Problem) -> None:
    """A file that could not be read as an object."""
    reporter.add(Diagnostic("error", problem.message, name, 0, hint=problem.hint))


def _bucket(name: str) -> int:
    """The place of a name in GNU ld's symbol table, which is the order of common storage."""
    value = 0
    for byte in encode(name):
        value = value + byte + (byte << 17) & _WORD
        value ^= value >> 2
    size = len(encode(name))
    value = value + size + (size << 17) & _WORD
    return (value ^ value >> 2) % 4051
