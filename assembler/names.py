"""The names of one unit: labels, symbols, numeric labels, and what operands are worth here."""

from __future__ import annotations

from toyvm.isa.registers import NUMBERS

from .diagnostics import Place, Problem, Reporter, did_you_mean
from .expressions import Expr, Name, parse
from .lexer import Span
from .limits import Limits
from .operands import LIKE_REGISTER, not_a_register
from .regnames import by_compiler, declared, not_a_name, not_a_symbol, said
from .reporting import Reporting
from .sections import SHF_EXECINSTR, SHT_NOBITS, Section
from .values import (
    ABSOLUTE,
    LABEL,
    UNDEFINED,
    Bound,
    Rel,
    Scope,
    Symbol,
    bind,
    bind_stored,
    symbol_value,
)


class Names(Reporting, Scope):
    """Symbols of a unit, and the evaluation of expressions at the present place."""

    section: Section
    part_labels: list[Symbol]

    def __init__(self, reporter: Reporter, limits: Limits) -> None:
        super().__init__(reporter, limits)
        self.symbols: dict[str, Symbol] = {}
        self.absolute: Section | None = None
        self.numeric_before: list[Symbol] = []
        self.numeric: dict[int, Symbol] = {}
        self.numeric_ahead: dict[int, Symbol] = {}
        self.numeric_count: dict[int, int] = {}
        self.texts: list[str] = []
        self._judged = self._read = 0
        self._said: frozenset[str] = frozenset()
        self._meant: frozenset[str] = frozenset()

    def define_label(self, name: str, quoted: bool = False) -> bool:
        """Define a label (or a numeric one) at the current place; False if that is an error."""
        section = self.section
        if name[0] in "0123456789" and not quoted:
            number = int(name) if len(name) < 10 else -1
            if number < 0:
                problem = Problem(f"the label number `{name[:40]}` is too large")
                problem.label = True
                self.report(problem)
                return False
            symbol = self.numeric_ahead.pop(number, None) or Symbol(name)
            instance = self.numeric_count[number] = self.numeric_count.get(number, 0) + 1
            symbol.elf_name = f".L{number}\x02{instance}"
            old = self.numeric.get(number)
            if old is not None and old.used_at < 0:
                self.numeric_before.append(old)
            self.numeric[number] = symbol
        else:
            known = self.symbols.get(name)
            if known is None:
                symbol = self.symbols[name] = Symbol(name)
            elif known.state == UNDEFINED:
                symbol = known
            else:
                problem = self.duplicate(known)
                problem.label = True
                self.report(problem)
                return False
        size = section.reserved if section.type == SHT_NOBITS else len(section.data)
        symbol.value = size
        if section.flags & SHF_EXECINSTR:
            section.label_offsets.append(size)
        if section is self.absolute:
            symbol.state = ABSOLUTE
        else:
            symbol.state = LABEL
            symbol.section = section
            if section.parent is not None and name[0] in "0123456789" and not quoted:
                self.part_labels.append(symbol)
        symbol.defined_at = self.place
        return True

    def duplicate(self, known: Symbol) -> Problem:
        """The message for a second definition."""
        related: list[tuple[str, Place]] = []
        if known.defined_at >= 0:
            place = self.positions.locate(known.defined_at)
            related = [(f"`{known.name}` is first defined here", self.mark(place, known.name))]
        return Problem(
            f"`{known.name}` is defined twice",
            operand=None,
            related=related,
            hint="rename one of them; a numeric label such as 1: may be used again",
        )

    def lookup(self, name: str, quoted: bool = False) -> Symbol:
        """The symbol of that name, created undefined if it is new."""
        symbol = self.symbols.get(name)
        if symbol is None:
            if quoted and not self.says(name):
                raise not_a_name(name)
            symbol = self.new_symbol(name)
        if symbol.used_at < 0:
            symbol.used_at = self.place
        return symbol

    def new_symbol(self, name: str) -> Symbol:
        """A symbol used for the first time; Problem for a register if none is named after it."""
        if name in NUMBERS and not self.means_symbol(name):
            raise not_a_symbol(name)
        symbol = self.symbols[name] = Symbol(name)
        return symbol

    def means_symbol(self, name: str) -> bool:
        """Whether this source has a symbol with that name of a register."""
        known = self.symbols.get(name)
        if known is not None and (known.declared or known.state != UNDEFINED):
            return True
        if self._judged != len(self.texts):
            self._meant |= declared(self.texts[self._judged :])
            self._judged = len(self.texts)
        return name in self._meant or self.compiled

    def says(self, name: str) -> bool:
        """Whether the source has a symbol of that name somewhere."""
        if self._read != len(self.texts):
            self._said |= said(self.texts[self._read :])
            self._read = len(self.texts)
        return name in self._said

    @property
    def compiled(self) -> bool:
        """Whether a compiler wrote this source."""
        return by_compiler(self.texts[:1])

    def is_defined(self, name: str) -> bool:
        """Whether the name has a definition so far."""
        symbol = self.symbols.get(name)
        return symbol is not None and symbol.state != UNDEFINED

    def local(self, number: int, forward: bool) -> Symbol:
        """The numeric label that 1b or 1f means here."""
        if forward:
            ahead = self.numeric_ahead.get(number)
            if ahead is None:
                ahead = self.numeric_ahead[number] = Symbol(f"{number}f", used_at=self.place)
            return ahead
        symbol = self.numeric.get(number)
        if symbol is None:
            raise Problem(
                f"there is no label `{number}:` before this line",
                hint=f"`{number}f` looks forward",
            )
        symbol.used_at = self.place
        return symbol

    def check_numeric(self) -> None:
        """Report forward references that no label answered."""
        for number, symbol in self.numeric_ahead.items():
            self.error_at(
                symbol.used_at,
                f"there is no label `{number}:` after this line",
                *self.columns(symbol.used_at, f"{number}f"),
                hint=f"`{number}b` looks back",
            )

    def here(self) -> Rel | int:
        """The location counter."""
        if self.section is self.absolute:
            return self.section.size
        return Rel(self.section, self.section.size)

    def bound(self, tree: Expr, index: int) -> Bound:
        """The meaning of an operand here."""
        if type(tree) is Name:
            # By far the most: a symbol alone.
            symbol = self.symbols.get(tree.name)
            if symbol is None:
                try:
                    symbol = self.new_symbol(tree.name)
                except Problem as problem:
                    problem.operand = index
                    raise
            if symbol.used_at < 0:
                symbol.used_at = self.place
            return symbol_value(symbol)
        try:
            return bind(tree, self)
        except Problem as problem:
            if problem.operand == -1:
                problem.operand = index
            raise

    def stored_value(self, tree: Expr, index: int) -> Bound:
        """The meaning of a value that goes into memory as it is."""
        try:
            return bind_stored(tree, self)
        except Problem as problem:
            if problem.operand == -1:
                problem.operand = index
            raise

    def constant(self, tree: Expr, index: int, what: str) -> int:
        """The number that an operand is; Problem if it is not known at this line."""
        value = self.bound(tree, index)
        if isinstance(value, int):
            return value
        raise self.not_constant(value, index, what)

    def not_constant(self, value: Bound, index: int, what: str) -> Problem:
        """Explain why a value is not a number here."""
        expected = f"{what} known at this line"
        if not isinstance(value, Rel):
            return Problem("this value is not known here", operand=index, expected=expected)
        base = value.base
        if isinstance(base, Symbol) and base.state == UNDEFINED:
            if LIKE_REGISTER.match(base.name):
                return not_a_register(base.name, index)
            known = [n for n, s in self.symbols.items() if s.state != UNDEFINED]
            return Problem(
                f"`{base.name}` is not defined before this line",
                operand=index,
                expected=expected,
                hint=did_you_mean(base.name, known)
                or f"put its .equ above this line: .equ {base.name}, value; `la` loads the address "
                "of a label",
                consequence=True,
            )
        return Problem(
            "an address is not a number before linking",
            operand=index,
            expected=expected,
            hint="`la` loads an address; %hi and %lo give its parts",
        )

    def evaluate(self, span: Span, index: int, what: str = "a number") -> int:
        """The number that an operand's text is."""
        return self.constant(self.parse(span, index), index, what)

    def parse(self, span: Span, index: int) -> Expr:
        """The tree of an operand's text."""
        try:
            return parse(span.text)
        except Problem as problem:
            problem.operand = index
            raise
