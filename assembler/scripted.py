"""Placing sections as a linker script says.

The script is walked several times, because an expression may use what a later line defines;
the last walk counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .diagnostics import Reporter, did_you_mean
from .layout import Output, output_name, up
from .orphans import DISCARD, flags_of, pattern_of, type_of, with_orphans
from .resolve import LinkUnit
from .script_nodes import (
    Assert,
    Assign,
    Data,
    Fill,
    Input,
    Num,
    Op,
    OutputSection,
    Script,
    ScriptError,
    Sym,
)
from .script_patterns import take
from .script_values import Evaluator, Lookup, Value
from .sections import SHF_ALLOC, SHF_WRITE, SHT_NOBITS, SHT_PROGBITS, Section

_WALKS = 8
_MEMORY = 1 << 32
_LARGEST_CONTENT = 256 << 20


@dataclass(slots=True)
class ScriptSymbol:
    """A symbol that the script defines, and the output section that it belongs to."""

    name: str
    value: int = 0
    section: str = ""
    hidden: bool = False
    unused: bool = False


@dataclass
class _Region:
    """A memory region as far as it is used; ``moved`` is how far from their addresses its last
    sections are loaded."""

    origin: int
    length: int
    at: int = 0
    moved: int = 0


@dataclass
class _Placed:
    """What one walk found out about an output section."""

    output: Output
    load: int = 0
    moved: bool = False
    extra: list[Section] = field(default_factory=list)


class ScriptLayout(Evaluator):
    """Places the sections of all units."""

    def __init__(
        self,
        script: Script,
        units: Sequence[LinkUnit],
        reporter: Reporter,
        fixed: Mapping[str, int],
        lookup: Lookup,
        publish: Callable[[str, int], None],
        given: Callable[[], Iterable[tuple[str, int]]],
    ) -> None:
        super().__init__(script, lookup)
        self.given = given
        self.units = units
        self.reporter = reporter
        self.fixed = fixed
        self.publish = publish
        self.placed: dict[str, _Placed] = {}
        self.regions: dict[str, _Region] = {}
        self.current: Output | None = None
        self.defined: dict[str, ScriptSymbol] = {}
        self.wanted: dict[int, list[Section]] = {}
        self.orphans: dict[str, Output] = {}
        self.referenced: frozenset[str] = frozenset()
        self.seen: set[str] = set()
        assigns = list(self.assignments())
        self.assigned = [a.name for a in assigns if not a.provide and a.name != "."]
        self.provided = [a.name for a in assigns if a.provide]

    def assignments(self) -> Iterator[Assign]:
        """All assignments of the script."""
        for item in [*self.script.before, *self.script.sections]:
            if isinstance(item, Assign):
                yield item
            elif isinstance(item, OutputSection):
                yield from (s for s in item.statements if isinstance(s, Assign))

    @property
    def symbols(self) -> list[ScriptSymbol]:
        """The symbols that the script defined."""
        return list(self.defined.values())

    # -- which section goes where ------------------------------------------------------------

    def match(self) -> None:
        """Give every input section to the first statement that names it."""
        free = [(u, s) for u in self.units for s in u.sections.values()]
        for item in self.script.sections:
            if not isinstance(item, OutputSection):
                continue
            for statement in item.statements:
                if isinstance(statement, Input):
                    taken, free = take(statement, free)
                    self.wanted[id(statement)] = taken
        for _, section in free:
            name = output_name(section.name)[0] if not self.script.has_sections else section.name
            if section.name == "COMMON":
                name = ".bss"
            output = self.orphans.setdefault(name, Output(name, 0, section.type))
            output.parts.append(((0, ""), section))
        self.orphans = {n: o for n, o in self.orphans.items() if any(s.size for s in o.sections)}

    # -- walking -----------------------------------------------------------------------------

    def place(self) -> list[Output]:
        """The output sections with their addresses; mistakes go to the reporter."""
        self.match()
        needed = {
            name
            for unit in self.units
            for name, s in unit.symbols.items()
            if s.target is not None or s.state == 0
        }
        self.referenced = frozenset(needed)
        items = with_orphans(self.script.sections, self.orphans.values(), self.wanted)
        outputs: list[Output] = []
        try:
            before: object = None
            for _ in range(_WALKS):
                self.strict = False
                outputs = self.walk(items)
                state = self.state(outputs)
                if state == before:
                    break
                before = state
            self.strict = True
            outputs = self.walk(items)
            self.check_regions()
        except ScriptError as error:
            self.reporter.add(error.diagnostic)
        for name, symbol in self.defined.items():
            self.publish(name, symbol.value)
        return outputs

    def state(self, outputs: Sequence[Output]) -> object:
        """What must not change between two walks."""
        return (
            [(o.name, o.address, o.size) for o in outputs],
            {name: value.number for name, value in self.values.items()},
        )

    def walk(self, items: Iterable[OutputSection | Assign | Assert | Output]) -> list[Output]:
        """Place everything once."""
        self.dot = Value(0, True)
        self.current = None
        self.seen.clear()
        for name, number in self.given():
            self.values[name] = Value(number)
            self.seen.add(name)
        self.regions = {}
        for name, region in self.script.regions.items():
            origin, length = self.number(region.origin), self.number(region.length)
            self.regions[name] = _Region(origin, length, origin)
        for early in self.script.before:
            self.simple(early)
        outputs: list[Output] = []
        previous = ""
        for item in items:
            if isinstance(item, Assign | Assert):
                self.simple(item)
            elif isinstance(item, Output):
                outputs.append(self.orphan(item, previous))
            elif item.name == DISCARD:
                continue
            else:
                previous = item.region or previous
                outputs.append(self.output(item, previous))
        return outputs

    def simple(self, item: Assign | Assert) -> None:
        """An assignment or an assertion."""
        if isinstance(item, Assert):
            if self.strict and not self.number(item.condition):
                raise self.error(item.message or "this assertion does not hold", item.at)
            return
        if item.provide and not self.needs(item.name):
            return
        value = self.value(item.value)
        if item.op != "=":
            old = self.symbol(Sym(item.name, item.at))
            op = Op(item.op[:-1], (Num(old.number), Num(value.number)), item.at)
            value = Value(self.operation(op).number, old.address)
        if item.name == ".":
            self.move(value, item.at)
            return
        if not -_MEMORY < value.number < 2 * _MEMORY:
            value = Value(value.number & (_MEMORY - 1), value.address)
        inside = self.current is not None
        if inside and not value.address and self.current is not None:
            # In a section a plain number counts from its beginning only for `.`.
            inside = False
        self.values[item.name] = value
        self.seen.add(item.name)
        made = self.defined.setdefault(item.name, ScriptSymbol(item.name))
        made.value = value.number & (_MEMORY - 1)
        made.section = self.current.name if inside and self.current is not None else ""
        made.hidden = item.hidden

    def needs(self, name: str) -> bool:
        """Whether PROVIDE has to define the name: somebody asks, and nobody else defines it."""
        if name in self.defined:
            return True
        return (name in self.referenced or name in self.asked) and self.is_open(name)

    def is_defined(self, name: str) -> bool:
        """What DEFINED says: an input, or an earlier line of the script, defines the name."""
        return name in self.seen or not self.is_open(name)

    def is_open(self, name: str) -> bool:
        """Whether no input defines the shared name."""
        for unit in self.units:
            symbol = unit.symbols.get(name)
            if symbol is not None and symbol.state != 0 and symbol.binding != 0:
                return False
        return True

    def move(self, value: Value, at: int) -> None:
        """``. = value``"""
        assert self.dot is not None
        number = value.number
        output = self.current
        if output is not None:
            if not value.address:
                number += output.address
            if number < self.dot.number:
                if not self.strict:
                    return
                raise self.error(
                    f"`.` cannot go back, from {self.dot.number:#x} to {number:#x}",
                    at,
                    "only outside of sections may `.` become smaller",
                )
            self.placed[output.name].moved |= number > self.dot.number
        if not 0 <= number <= _MEMORY:
            if not self.strict:
                number &= _MEMORY - 1
            else:
                raise self.error(f"the address {number:#x} is outside of 32 bits", at)
        self.dot = Value(number, True)

    def output(self, item: OutputSection, region_name: str) -> Output:
        """Place one section of the script."""
        assert self.dot is not None
        statements = item.statements
        members = [s for st in statements for s in self.wanted.get(id(st), ())]
        output = Output(item.name, 0, SHT_PROGBITS)
        known = self.placed.get(item.name)
        placed = _Placed(output, moved=False)
        if known is not None and known.output.parts and self.strict and not members:
            placed = _Placed(output)
        self.placed[item.name] = placed
        flags = flags_of(members)
        loaded = (
            bool(flags & SHF_ALLOC) or not members or any(isinstance(s, Data) for s in statements)
        )
        if not loaded:
            return self.unloaded(output, members, flags)
        region = self.regions.get(item.region) if item.region else None
        if item.region and region is None:
            raise self.error(
                f"there is no memory region `{item.region}`",
                item.at,
                did_you_mean(item.region, self.regions),
            )
        align = max([s.align for s in members if s.size] or [1])
        if item.align is not None:
            align = max(align, self.number(item.align))
        if align & (align - 1):
            raise self.error(f"the alignment {align} is not a power of two", item.at)
        saved = self.dot
        if item.name in self.fixed:
            start = self.fixed[item.name]
        elif item.address is not None:
            start = self.number(item.address)
        else:
            start = region.at if region is not None else self.dot.number
            has_content = any(s.size for s in members) or item.align is not None
            start = up(start, align) if has_content or self.moves(item) else start
        if not 0 <= start < _MEMORY:
            if self.strict:
                raise self.error(f"section `{item.name}` would begin at {start:#x}", item.at)
            start = 0
        output.address = start
        self.current = output
        self.dot = Value(start, True)
        subalign = self.number(item.subalign) if item.subalign is not None else 0
        if item.fill is not None:
            output.fill = pattern_of(self.number(item.fill))
        stored = False
        for statement in statements:
            stored |= self.inside(statement, output, placed, subalign)
        self.current = None
        output.size = self.dot.number - start
        content = [s for s in output.sections if s.size]
        output.flags = flags_of(content or members) | SHF_ALLOC
        if stored and not members:
            output.flags |= SHF_WRITE
        output.type = type_of(content) if content else SHT_PROGBITS
        if item.kind == "NOLOAD" or (not content and placed.moved):
            # Space without content takes no bytes of the file.
            output.type = SHT_NOBITS
            output.flags |= SHF_WRITE
        if output.size > _LARGEST_CONTENT and not output.nobits:
            if self.strict:
                raise self.error(
                    f"section `{item.name}` would take {output.size} bytes of the file",
                    item.at,
                    "an area without content belongs into a section of its own",
                )
            output.size = 0
        if not content and not placed.moved and not stored:
            # Nothing is in it: the script goes on where it was.
            output.size = 0
            self.set_load(item, output, region)
            if item.address is None and item.name not in self.fixed:
                self.dot = Value(max(saved.number, start), True) if region is None else saved
            return output
        self.set_load(item, output, region)
        if region is not None:
            region.at = output.address + output.size
        return output

    @staticmethod
    def moves(item: OutputSection) -> bool:
        """Whether a section has statements that may make it larger."""
        return any(
            isinstance(s, Data) or (isinstance(s, Assign) and s.name == ".")
            for s in item.statements
        )

    def set_load(self, item: OutputSection, output: Output, region: _Region | None) -> None:
        """The address that the content is loaded at."""
        load = output.address
        if item.load is not None:
            load = self.number(item.load)
        elif item.load_region:
            target = self.regions.get(item.load_region)
            if target is None:
                raise self.error(
                    f"there is no memory region `{item.load_region}`",
                    item.at,
                    did_you_mean(item.load_region, self.regions),
                )
            load = up(target.at, output.align)
            if target is not region and not output.nobits:
                target.at = load + output.size
        elif region is not None:
            # Where nothing is said, sections stay together.
            load += region.moved
        if region is not None:
            region.moved = load - output.address
        output.load_offset = load - output.address
        self.placed[output.name].load = load

    def unloaded(self, output: Output, members: list[Section], flags: int) -> Output:
        """A section for debuggers: it has content but no address."""
        at = 0
        for section in members:
            at = up(at, section.align)
            section.set_address(at)
            at += section.size
            output.parts.append(((0, ""), section))
        output.size, output.flags = at, flags & ~SHF_ALLOC
        output.type = type_of(members) if members else SHT_PROGBITS
        return output

    def inside(
        self,
        statement: Assign | Assert | Input | Data | Fill,
        output: Output,
        placed: _Placed,
        subalign: int,
    ) -> bool:
        """One statement of an output section; whether it stored something."""
        assert self.dot is not None
        if isinstance(statement, Assign | Assert):
            self.simple(statement)
            return False
        if isinstance(statement, Fill):
            output.fill = pattern_of(self.number(statement.value))
            return False
        if isinstance(statement, Data):
            value = self.number(statement.value) & ((1 << 8 * statement.size) - 1)
            made = Section(output.name, SHF_ALLOC, SHT_PROGBITS, 0)
            made.data = bytearray(value.to_bytes(statement.size, "little"))
            made.address = self.dot.number
            output.parts.append(((0, ""), made))
            self.dot = Value(self.dot.number + statement.size, True)
            return True
        for section in self.wanted[id(statement)]:
            if section.size or section.align > 1:
                align = subalign or section.align
                if section.size:
                    self.dot = Value(up(self.dot.number, align), True)
            section.set_address(self.dot.number)
            output.parts.append(((0, ""), section))
            self.dot = Value(self.dot.number + section.size, True)
        return False

    def orphan(self, orphan: Output, region_name: str) -> Output:
        """A section that the script does not mention; it stays in the region before it."""
        assert self.dot is not None
        output = Output(orphan.name, flags_of(orphan.sections), type_of(orphan.sections))
        self.placed[orphan.name] = _Placed(output)
        if not output.flags & SHF_ALLOC:
            return self.unloaded(output, orphan.sections, output.flags)
        align = max([s.align for s in orphan.sections if s.size], default=1)
        region = self.regions.get(region_name)
        free = self.dot.number if region is None else region.at
        start = self.fixed.get(orphan.name, up(free, align))
        output.address = at = start
        for section in orphan.sections:
            at = up(at, section.align) if section.size else at
            section.set_address(at)
            at += section.size
            output.parts.append(((0, ""), section))
        output.size = at - start
        self.dot = Value(at, True)
        if region is not None and orphan.name not in self.fixed:
            region.at = at
            output.load_offset = region.moved
            self.placed[orphan.name].load = start + region.moved
        return output

    # -- what expressions ask for ------------------------------------------------------------

    def section(self, name: str, at: int) -> tuple[int, int, int, int]:
        placed = self.placed.get(name)
        if placed is None:
            if not self.strict or any(
                isinstance(s, OutputSection) and s.name == name for s in self.script.sections
            ):
                return 0, 0, 0, 1
            raise self.error(f"there is no section `{name}`", at, did_you_mean(name, self.placed))
        o = placed.output
        return o.address, o.size, o.address + o.load_offset, o.align

    def region(self, name: str, at: int) -> tuple[int, int]:
        found = self.regions.get(name)
        if found is None:
            raise self.error(
                f"there is no memory region `{name}`", at, did_you_mean(name, self.regions)
            )
        return found.origin, found.length

    def check_regions(self) -> None:
        """What is in a memory region must fit into it."""
        for name, region in self.regions.items():
            over = region.at - (region.origin + region.length)
            if over > 0:
                at = self.script.regions[name].at
                self.reporter.add(
                    self.script.diagnostic(
                        "error", f"the memory region `{name}` overflows by {over} bytes", at,
                        "make the region longer, or the program smaller",
                    )
                )  # fmt: skip
