"""A unit as a relocatable object: the relocations and symbols that GNU as would write.

Nothing is resolved that GNU as leaves to the linker: every branch, jump and address has a
relocation against the symbol that the source names, ``.L`` labels included; differences of
code labels are pairs of ADD and SUB.  Only absolute values and differences inside a data
section are worked out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from . import sections
from .attributes import object_attributes
from .diagnostics import Problem
from .elfdefs import (
    R_32,
    R_64,
    R_ADD8,
    R_BRANCH,
    R_CALL_PLT,
    R_HI20,
    R_JAL,
    R_LO12_I,
    R_LO12_S,
    R_PCREL_HI20,
    R_PCREL_LO12_I,
    R_PCREL_LO12_S,
    R_SUB8,
    SHT_RISCV_ATTRIBUTES,
    VISIBILITY_NAMES,
)
from .elfstrings import TAG_ARCH, attributes
from .objects import (
    ABSOLUTE_INDEX,
    COMMON_INDEX,
    UNDEFINED_INDEX,
    ObjectFile,
    ObjectSection,
    ObjectSymbol,
    Relocation,
)
from .relocations import insert_distance, insert_high, insert_low
from .sections import Fixup, Section, Steps
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
    anchored,
    resolve,
)
from .versions import add_versions

if TYPE_CHECKING:
    from .unit import Unit

_DEEPEST = 300
_OFFSET = itemgetter(0)
HERE = ".L0 "
"""The name of local symbols that stand for a place without a label."""
_TYPES = {
    sections.BRANCH: R_BRANCH, sections.JAL: R_JAL, sections.CALL: R_CALL_PLT,
    sections.HI20: R_HI20, sections.LO12_I: R_LO12_I, sections.LO12_S: R_LO12_S,
    sections.PCREL_HI20: R_PCREL_HI20, sections.PCREL_LO12_I: R_PCREL_LO12_I,
    sections.PCREL_LO12_S: R_PCREL_LO12_S,
}  # fmt: skip
# Tables of function addresses; GNU as says how long an entry is.
_ENTSIZES = {
    sections.SHT_INIT_ARRAY: 4,
    sections.SHT_FINI_ARRAY: 4,
    sections.SHT_PREINIT_ARRAY: 4,
}
_SIZES = {sections.DATA8: 0, sections.DATA16: 1, sections.DATA32: 2, sections.DATA64: 3}


@dataclass(slots=True)
class Linear:
    """A sum of addresses: ``plus`` minus ``minus`` plus a number."""

    plus: list[Symbol]
    minus: list[Symbol]
    number: int


def linear(value: Bound, keep_code: bool, depth: int = 0) -> Linear:
    """The value as a sum; Problem if it is none.

    Addresses of one section cancel out; with ``keep_code`` those of code do not.
    """
    if depth > _DEEPEST:
        raise Problem("this expression is nested too deeply")
    if isinstance(value, int):
        return Linear([], [], value)
    if isinstance(value, Rel):
        base = value.base
        if isinstance(base, Symbol):
            if base.state == ABSOLUTE:
                return Linear([], [], base.value + value.addend)
            if base.state == EXPRESSION:
                if base.weakref is None and _position(base) is not None:
                    # A symbol with an address of its own, such as `.set end, label + 4`.
                    return Linear([base], [], value.addend)
                found = linear(base.bound, keep_code, depth + 1)
                found.number += value.addend
                return found
            return Linear([base], [], value.addend)
        # A nameless local symbol, as GNU as makes for the location counter.
        where = anchored(value)
        assert isinstance(where.base, Section)
        here = Symbol(HERE, LABEL, section=where.base, value=where.addend)
        return Linear([here], [], 0)
    assert isinstance(value, Tree)
    a = linear(value.a, keep_code, depth + 1)
    if value.b is None:
        if value.op == "-":
            return Linear(a.minus, a.plus, -a.number)
        return _number_only(value, a, None)
    b = linear(value.b, keep_code, depth + 1)
    if value.op == "+":
        return _cancel(Linear(a.plus + b.plus, a.minus + b.minus, a.number + b.number), keep_code)
    if value.op == "-":
        return _cancel(Linear(a.plus + b.minus, a.minus + b.plus, a.number - b.number), keep_code)
    return _number_only(value, a, b)


def _number_only(tree: Tree, a: Linear, b: Linear | None) -> Linear:
    """An operation that is only defined on numbers."""
    for side in (a, b):
        if side is not None and (side.plus or side.minus):
            raise Problem(
                f"`{tree.op}` of an address cannot be written into an object file",
                expected="a symbol plus or minus a number, or a difference of two symbols",
                hint="only the linker knows the address; compute this at run time",
            )
    return Linear([], [], resolve(Tree(tree.op, a.number, None if b is None else b.number, 2)))


def _place_of(found: Linear) -> tuple[Section, int] | None:
    """The section and offset that a sum is, if it is one address that stays where it is."""
    if len(found.plus) != 1 or found.minus:
        return None
    where = _position(found.plus[0])
    return None if where is None else (where[0], where[1] + found.number)


def _position(base: Symbol) -> tuple[Section, int] | None:
    """The section and offset of a symbol that stays where it is."""
    where = anchored(Rel(base, 0))
    return (where.base, where.addend) if isinstance(where.base, Section) else None


def _label(symbol: Symbol) -> tuple[Section, int] | None:
    """The section and offset of a label of this source, weak ones included."""
    if symbol.state != LABEL or symbol.section is None:
        return _position(symbol)
    where = anchored(Rel(symbol.section, symbol.value))
    return (where.base, where.addend) if isinstance(where.base, Section) else None


def _cancel(found: Linear, keep_code: bool) -> Linear:
    """Take away pairs of addresses whose distance is known."""
    for p in list(found.plus):
        here = _position(p)
        for m in list(found.minus):
            there = _position(m)
            if p is not m:
                if here is None or there is None or here[0] is not there[0]:
                    continue
                if keep_code and here[0].code:
                    continue
            found.plus.remove(p)
            found.minus.remove(m)
            if here is not None and there is not None:
                found.number += here[1] - there[1]
            break
    return found


class Lowering:
    """Turns one assembled unit into an object."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.object = ObjectFile(unit.name)
        self.index: dict[int, int] = {}
        self.symbols: dict[int, int] = {}
        self.places: dict[tuple[int, int], int] = {}
        self.seen: list[Symbol] = []
        self.attributes = object_attributes(unit)

    def run(self) -> ObjectFile:
        """The object; mistakes go to the unit's reporter."""
        unit, obj = self.unit, self.object
        kept = list(unit.sections.values())
        for number, section in enumerate(kept):
            self.index[id(section)] = number
            obj.sections.append(
                ObjectSection(
                    section.name, section.type, section.flags, section.align,
                    section.entsize or _ENTSIZES.get(section.type, 0), bytearray(section.data),
                    section.size, group=self.group_of(section),
                )
            )  # fmt: skip
        for number, section in enumerate(kept):
            if section.linked:
                target = unit.linked_section(section)
                obj.sections[number].linked = -1 if target is None else self.index[id(target)]
        self.own_symbols(kept)
        for number, section in enumerate(kept):
            found: list[Relocation] = []
            for fixup in section.fixups:
                try:
                    found += self.relocations(section, fixup, obj.sections[number].data)
                except Problem as problem:
                    unit.place = fixup.place
                    unit.report(problem)
                except Unresolved:
                    unit.place = fixup.place
                    unit.report(Problem("this value is defined in terms of itself"))
            found += self.explicit(section)
            for steps in section.steps:
                found += self.step_relocations(steps)
            found.sort(key=_OFFSET)
            obj.sections[number].relocations = found
        add_versions(self)
        content = attributes(self.attributes)
        self.add(ObjectSymbol("", 0, 0, "SECTION", "LOCAL", "DEFAULT", len(obj.sections)))
        obj.sections.append(
            ObjectSection(".riscv.attributes", SHT_RISCV_ATTRIBUTES, 0, 1, 0, content, len(content))
        )
        return obj

    def group_of(self, section: Section) -> int:
        """The number of the section's group, entered if it is new; -1 for none."""
        if not section.group:
            return -1
        groups = self.object.groups
        if section.group not in groups:
            groups.append(section.group)
            if not section.comdat:
                self.object.loose.add(len(groups) - 1)
        return groups.index(section.group)

    # -- symbols -----------------------------------------------------------------------------

    def own_symbols(self, kept: list[Section]) -> None:
        """Sections, mapping symbols and everything that the source names for others."""
        if self.unit.debug.source_name:
            self.add(
                ObjectSymbol(self.unit.debug.source_name, 0, 0, "FILE", "LOCAL", "DEFAULT", -1)
            )
        arch = str(self.attributes[TAG_ARCH])
        for number, section in enumerate(kept):
            self.add(ObjectSymbol("", 0, 0, "SECTION", "LOCAL", "DEFAULT", number))
            for offset, name in section.mapping(arch):
                self.add(ObjectSymbol(name, offset, 0, "NOTYPE", "LOCAL", "DEFAULT", number))
        for name, symbol in self.unit.symbols.items():
            if symbol.weakref is not None:
                continue
            if symbol.state == UNDEFINED:
                if symbol.binding == GLOBAL_BINDING and symbol.declared:
                    self.number(symbol)
            elif not (name.startswith(".L") and symbol.binding == LOCAL_BINDING):
                self.number(symbol)

    def add(self, symbol: ObjectSymbol) -> int:
        """Append to the table."""
        self.object.symbols.append(symbol)
        return len(self.object.symbols) - 1

    def number(self, symbol: Symbol) -> int:
        """The place of a symbol in the table, added if it is new; -1 for one without entry."""
        if symbol.name is HERE and symbol.section is not None:
            return self.here(symbol.section, symbol.value)
        known = self.symbols.get(id(symbol))
        if known is not None:
            return known
        made = self.describe(symbol)
        found = -1 if made is None else self.add(made)
        self.symbols[id(symbol)] = found
        self.seen.append(symbol)
        return found

    def here(self, section: Section, offset: int) -> int:
        """The number of the symbol that stands for a place without a label."""
        number = self.index[id(section)]
        known = self.places.get((number, offset))
        if known is None:
            known = self.places[number, offset] = self.add(
                ObjectSymbol(HERE, offset, 0, "NOTYPE", "LOCAL", "DEFAULT", number)
            )
        return known

    def describe(self, symbol: Symbol) -> ObjectSymbol | None:
        """The entry of a symbol."""
        binding = {LOCAL_BINDING: "LOCAL", GLOBAL_BINDING: "GLOBAL", WEAK_BINDING: "WEAK"}
        made = ObjectSymbol(
            symbol.elf_name or symbol.name, type=symbol.type or "NOTYPE",
            binding=binding[symbol.binding], visibility=VISIBILITY_NAMES[symbol.visibility],
        )  # fmt: skip
        if symbol.state == UNDEFINED:
            made.section = UNDEFINED_INDEX
            if symbol.binding == LOCAL_BINDING:
                made.binding = "GLOBAL"
        elif symbol.state == COMMON:
            made.section, made.value = COMMON_INDEX, symbol.align
        elif symbol.state == LABEL:
            assert symbol.section is not None
            made.section, made.value = self.index[id(symbol.section)], symbol.value
        elif symbol.state == ABSOLUTE:
            made.section, made.value = ABSOLUTE_INDEX, symbol.value
        else:
            return self.describe_expression(symbol, made)
        made.size = self.size_of(symbol)
        return made

    def describe_expression(self, symbol: Symbol, made: ObjectSymbol) -> ObjectSymbol | None:
        """The entry of a symbol that stands for an expression, None if it needs none."""
        try:
            found = linear(symbol.bound, False)
        except (Problem, Unresolved):
            found = Linear([symbol], [symbol], 0)
        made.size = self.size_of(symbol)
        if not found.plus and not found.minus:
            made.section, made.value = ABSOLUTE_INDEX, found.number
            return made
        where = _place_of(found)
        if where is not None:
            made.section, made.value = self.index[id(where[0])], where[1]
            return made
        if symbol.binding != LOCAL_BINDING:
            self.unit.place = symbol.defined_at
            self.unit.report(
                Problem(
                    f"`{symbol.name}` has no value that other sources could use",
                    operand=None,
                    hint="define it in the source that defines the symbol it stands for",
                )
            )
        return None

    def size_of(self, symbol: Symbol) -> int:
        """What `.size` says, if it can be worked out here."""
        try:
            found = linear(symbol.size, False)
        except (Problem, Unresolved):
            return 0
        for p in list(found.plus):
            # `.-name`: however a weak name ends up, this source knows its size.
            for m in found.minus:
                here, there = _label(p), _label(m)
                if here is not None and there is not None and here[0] is there[0]:
                    found.plus.remove(p)
                    found.minus.remove(m)
                    found.number += here[1] - there[1]
                    break
        return 0 if found.plus or found.minus else found.number & 0xFFFF_FFFF

    # -- relocations -------------------------------------------------------------------------

    def relocations(
        self, section: Section, fixup: Fixup, data: bytes | bytearray
    ) -> list[Relocation]:
        """The relocations of one fixup; ``data`` gets what GNU as fills in already."""
        assert isinstance(data, bytearray)
        at, kind = fixup.offset, fixup.kind
        if kind in _SIZES:
            return self.data_relocations(fixup, data)
        found = linear(fixup.value, False)
        if found.minus or len(found.plus) > 1:
            raise Problem(
                "this needs the addresses of several symbols at once",
                expected="a symbol plus or minus a number",
            )
        if found.plus:
            symbol, addend = self.number(found.plus[0]), found.number
        else:
            symbol, addend = -1, found.number
            if kind == sections.HI20:
                insert_high(data, at, addend)
                return []
            if kind in (sections.LO12_I, sections.LO12_S):
                insert_low(data, at, addend, kind == sections.LO12_S)
                return []
        if kind in (sections.PAIR_I, sections.PAIR_S):
            label = self.number(Symbol(HERE, LABEL, section=section, value=at))
            low = R_PCREL_LO12_S if kind == sections.PAIR_S else R_PCREL_LO12_I
            return [
                Relocation(at, R_PCREL_HI20, symbol, addend),
                Relocation(at + 4, low, label, 0),
            ]
        if kind in (sections.BRANCH, sections.JAL) and symbol >= 0:
            target = self.object.symbols[symbol]
            value = target.value if target.section != COMMON_INDEX else 0
            insert_distance(data, at, value + addend - at, kind == sections.BRANCH)
        elif kind == sections.HI20:
            insert_high(data, at, addend)
        elif kind in (sections.LO12_I, sections.LO12_S):
            insert_low(data, at, addend, kind == sections.LO12_S)
        type_ = kind - sections.RAW if kind > sections.RAW else _TYPES[kind]
        return [Relocation(at, type_, symbol, addend)]

    def explicit(self, section: Section) -> list[Relocation]:
        """What `.reloc` asks for."""
        out: list[Relocation] = []
        for item in self.unit.explicit:
            if item.section is not section:
                continue
            self.unit.place = item.place
            try:
                found = linear(item.value, False)
                if found.minus or len(found.plus) > 1:
                    raise Problem(
                        "a relocation has one symbol", operand=2,
                        expected="a symbol plus or minus a number",
                    )  # fmt: skip
                number = self.number(found.plus[0]) if found.plus else -1
                out.append(Relocation(item.offset, item.type, number, found.number))
            except Unresolved:
                self.unit.report(Problem("this value is defined in terms of itself", operand=2))
            except Problem as problem:
                self.unit.report(problem)
        return out

    def step_relocations(self, steps: Steps) -> Iterator[Relocation]:
        """The relocations of the distances in a line table."""
        here, code = self.here, steps.code
        for at, low, high in zip(steps.at, steps.low, steps.high, strict=True):
            yield Relocation(at, R_ADD8 + 1, here(code, high), 0)
            yield Relocation(at, R_SUB8 + 1, here(code, low), 0)

    def data_relocations(self, fixup: Fixup, data: bytearray) -> list[Relocation]:
        """A number, an address or a difference in data."""
        at, power = fixup.offset, _SIZES[fixup.kind]
        size = 1 << power
        found = linear(fixup.value, True)
        if not found.plus and not found.minus:
            mask = (1 << 8 * size) - 1
            if not -mask - 1 < found.number <= mask:
                raise Problem(f"{found.number:#x} does not fit in {size} bytes")
            data[at : at + size] = (found.number & mask).to_bytes(size, "little")
            return []
        if len(found.plus) == 1 and len(found.minus) == 1:
            symbol, taken = self.number(found.plus[0]), self.number(found.minus[0])
            return [
                Relocation(at, R_ADD8 + power, symbol, found.number),
                Relocation(at, R_SUB8 + power, taken, 0),
            ]
        if len(found.plus) != 1 or found.minus:
            raise Problem(
                "this expression cannot be written into an object file",
                expected="a symbol plus or minus a number, or a difference of two symbols",
            )
        if size < 4:
            raise Problem(
                f"an address does not fit in {size} byte{'s' * (size > 1)}",
                expected="a number or a difference of two labels",
                hint="`.word` holds an address",
            )
        symbol, addend = self.number(found.plus[0]), found.number
        return [Relocation(at, R_32 if size == 4 else R_64, symbol, addend)]


def lower(unit: Unit) -> ObjectFile:
    """The object of an assembled unit; mistakes go to its reporter."""
    return Lowering(unit).run()
