"""Linking: units, objects and archives into one program with final addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import sections
from .defsyms import Defsyms
from .diagnostics import Diagnostic, Problem, Reporter, did_you_mean
from .image import Image
from .layout import Output, collect, place
from .lift import ObjectUnit
from .merge import merge_strings
from .relocations import apply, high_part_of
from .reporting import find_word
from .resolve import Input, LinkUnit, Resolver
from .results import Results
from .script_nodes import Script
from .scripted import ScriptLayout, ScriptSymbol
from .sections import SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, Fixup
from .values import (
    ABSOLUTE,
    EXPRESSION,
    GLOBAL_BINDING,
    LABEL,
    UNDEFINED,
    Bound,
    Rel,
    Symbol,
    Tree,
    Unresolved,
    resolve,
    symbol_address,
)

_MEMORY_TOP = 1 << 32


@dataclass(frozen=True)
class Options:
    """Where things go: see ``assembler.link``."""

    text_base: int
    entry: str | int | None = None
    section_addresses: Mapping[str, int] = field(default_factory=dict)
    script: Script | None = None
    defsyms: Sequence[tuple[str, str]] = ()


class Linker:
    """Links the inputs of one program."""

    def __init__(self, inputs: Sequence[Input], reporter: Reporter, options: Options) -> None:
        self.inputs = inputs
        self.reporter = reporter
        self.options = options
        self.symbols = Resolver(reporter)
        self.outputs: list[Output] = []
        self.script_symbols: list[ScriptSymbol] = []
        self.reported: set[str] = set()

    @property
    def units(self) -> list[LinkUnit]:
        """All units and objects of the program, archive members included."""
        return self.symbols.units

    def link(self) -> int:
        """Place and patch everything; returns the entry address."""
        options, table = self.options, self.symbols
        entry = options.entry
        if entry is None:
            entry = (options.script.entry if options.script else "") or "_start"
        wanted = [entry] if isinstance(entry, str) else []
        if options.script is not None:
            wanted += options.script.externs
        table.add_all(self.inputs, wanted)
        table.allocate_common()
        defsyms = Defsyms(options.defsyms, self.reporter)
        layout = self.layout(defsyms)
        assigned = [*(layout.assigned if layout else ()), *defsyms.names]
        table.define(assigned)
        table.connect(layout.provided if layout else PROVIDED)
        if any(s.flags & SHF_MERGE for u in self.units for s in u.sections.values()):
            merge_strings(self.units)
        everything = [s for unit in self.units for s in unit.sections.values()]
        if layout is not None:
            self.outputs = layout.place()
            self.script_symbols = layout.symbols
            for made in layout.symbols:
                # What only the script itself asks for.
                table.provided.setdefault(
                    made.name,
                    Symbol(made.name, ABSOLUTE, value=made.value, binding=GLOBAL_BINDING),
                )
        else:
            self.outputs = collect(everything)
            addresses = place(self.outputs, options.text_base, options.section_addresses)
            for name, symbol in table.provided.items():
                symbol.value = addresses.get(name, 0)
        defsyms.evaluate(self.lookup, self.set_value)
        self.check_memory()
        for unit in self.units:
            self.patch(unit)
        return self.find_entry(entry, options.text_base)

    def missing(self) -> None:
        """Report what nobody defines, of sources that have other mistakes as well.

        A name in a wrong line may be defined there, and is not reported.
        """
        wrong = " ".join(
            text
            for item in self.reporter.diagnostics
            for text in (item.source, *(place.source for _, place in item.chain))
        )
        self.symbols.add_all(self.inputs, [])
        layout = self.layout(Defsyms([], self.reporter))
        known = {*(layout.assigned if layout else ()), *(layout.provided if layout else PROVIDED)}
        known.update(name for name, _ in self.options.defsyms)
        for unit in self.units:
            for name, symbol in unit.symbols.items():
                if name not in self.symbols.missing or symbol.state != UNDEFINED or name in known:
                    continue
                if symbol.used_at >= 0 and not find_word(wrong, name)[1]:
                    self.unresolved(unit, Unresolved(symbol), symbol.used_at)

    def layout(self, defsyms: Defsyms) -> ScriptLayout | None:
        """The layout that a linker script asks for, None for the usual one."""
        options = self.options
        if options.script is None:
            return None
        return ScriptLayout(
            options.script, self.units, self.reporter, options.section_addresses, self.lookup,
            self.set_value, lambda: defsyms.numbers(self.lookup),
        )  # fmt: skip

    def lookup(self, name: str) -> int | None:
        """The address of a shared symbol; None if nobody defines it."""
        found = self.symbols.provided.get(name)
        if found is None:
            known = self.symbols.globals.get(name)
            if known is None:
                return None
            found = known[0]
        try:
            return symbol_address(found)
        except (Unresolved, Problem):
            return None

    def set_value(self, name: str, value: int) -> None:
        """A symbol that a script or --defsym defines has this value."""
        symbol = self.symbols.provided.get(name)
        if symbol is not None:
            symbol.value = value & 0xFFFF_FFFF

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
        address = self.lookup(entry)
        if address is not None:
            return address & 0xFFFF_FFFF
        for unit in self.units:
            symbol = unit.symbols.get(entry)
            if symbol is not None and symbol.state in (LABEL, ABSOLUTE, EXPRESSION):
                return symbol_address(symbol) & 0xFFFF_FFFF
        if entry != "_start":
            known = [n for unit in self.units for n in unit.symbols]
            self.plain_error(
                f"the entry symbol `{entry}` is not defined", did_you_mean(entry, known)
            )
        code = [o.address for o in self.outputs if o.flags & SHF_EXECINSTR and o.size]
        return min(code) if self.options.script and code else next(iter(code), text_base)

    # -- patching ----------------------------------------------------------------------------

    def patch(self, unit: LinkUnit) -> None:
        """Apply all fixups of a unit."""
        highs: dict[tuple[int, int], Fixup] | None = None
        for section in unit.sections.values():
            for fixup in section.fixups:
                try:
                    if fixup.kind in _LOW_KINDS:
                        if highs is None:
                            highs = _high_parts(unit)
                        apply(section, fixup, self.pcrel_low(fixup.value, highs))
                    else:
                        apply(section, fixup, resolve(fixup.value))
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

    def unresolved(self, unit: LinkUnit, missing: Unresolved, place: int) -> None:
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
            hint = did_you_mean(name, known) or self.advice(name)
            elsewhere = [u for u in self.units if u is not unit and u.is_defined(name)]
            if elsewhere:
                hint = f"`{elsewhere[0].name}` defines it: add `.globl {name}` there"
                if isinstance(elsewhere[0], ObjectUnit):
                    hint = f"`{elsewhere[0].name}` defines it for itself only: it is static there"
        item = Diagnostic(
            "error", message, where.file, where.line, start + 1 if end else 0,
            end + 1 if end else 0, source, hint=hint, chain=unit.positions.chain(place),
        )  # fmt: skip
        self.reporter.add(item)

    def advice(self, name: str) -> str:
        """What to link for a name that the compiler's own library has."""
        if name in _LIBGCC or name.startswith(("__atomic_", "__sync_")):
            return (
                "gcc's library has it: add the file that `riscv64-unknown-elf-gcc "
                "-march=rv32ima -mabi=ilp32 -print-libgcc-file-name` names"
            )
        if name in ("memcpy", "memset", "memmove", "memcmp"):
            return "gcc calls it by itself: write it, or link a library that has it"
        return ""

    def report(self, unit: LinkUnit, problem: Problem, fixup: Fixup) -> None:
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


PROVIDED = frozenset(
    ["__etext", "_etext", "etext", "_edata", "edata", "__bss_start", "__BSS_END__", "_end", "end",
     "__DATA_BEGIN__", "__SDATA_BEGIN__", "__global_pointer$"]
)  # fmt: skip
"""Symbols that GNU ld's default script defines; here as well when they are used."""


_LIBGCC = frozenset(
    ["__divdi3", "__udivdi3", "__moddi3", "__umoddi3", "__muldi3", "__ashldi3", "__ashrdi3",
     "__lshrdi3", "__clzsi2", "__ctzsi2", "__popcountsi2", "__bswapsi2", "__mulsi3", "__divsi3",
     "__adddf3", "__subdf3", "__muldf3", "__divdf3", "__addsf3", "__mulsf3", "__divsf3"]
)  # fmt: skip


_HIGH_KINDS = frozenset([sections.PCREL_HI20, sections.PAIR_I, sections.PAIR_S])
_LOW_KINDS = frozenset([sections.PCREL_LO12_I, sections.PCREL_LO12_S])


def _high_parts(unit: LinkUnit) -> dict[tuple[int, int], Fixup]:
    """The fixups that a %pcrel_lo can refer to, by section and offset."""
    return {
        (id(section), fixup.offset): fixup
        for section in unit.sections.values()
        for fixup in section.fixups
        if fixup.kind in _HIGH_KINDS
    }


def _name_in(value: Bound) -> str:
    """The name of the first symbol in a value, "" if there is none."""
    if isinstance(value, Rel):
        return value.base.name if isinstance(value.base, Symbol) else ""
    if isinstance(value, Tree):
        return _name_in(value.a) or (_name_in(value.b) if value.b is not None else "")
    return ""


def report_missing(inputs: Sequence[Input], reporter: Reporter, options: Options) -> None:
    """Report undefined symbols of inputs that cannot be linked, because of other mistakes."""
    Linker(inputs, reporter, options).missing()


def make_image(inputs: Sequence[Input], reporter: Reporter, options: Options) -> Image:
    """Link the inputs; the reporter has the mistakes."""
    linker = Linker(inputs, reporter, options)
    entry = linker.link()
    linker.check_definitions()
    results = Results(linker.units, linker.outputs, linker.symbols.provided, linker.script_symbols)
    symtab = results.symbol_table()
    symbols: dict[str, int] = {}
    for info in symtab:
        if info.binding != "LOCAL" or info.name not in symbols:
            symbols[info.name] = info.value
    warnings = [d for d in reporter.diagnostics if d.severity != "error"]
    return Image(entry, results.segments(), symbols, symtab, warnings, linker.outputs, results)
