"""Directives about symbols: values, binding, type, size and common storage."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem
from ..explicit import reloc
from ..expressions import unquoted
from ..lexer import Span, split_operands
from ..reporting import WHOLE
from ..sections import SHT_NOBITS, Section
from ..subsections import common_room
from ..values import (
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
    anchored,
    symbol_value,
)
from ..versions import symver
from .data import check_room

if TYPE_CHECKING:
    from ..unit import Unit

# A name and a number.
_PLAIN = re.compile(
    r"((?:[^\W\d]|[.$])[\w.$]*)[ \t]*,[ \t]*(0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,9})[ \t]*"
).fullmatch
_IN_QUOTES = re.compile(r'"(?:[^"\\]|\\.)*"').fullmatch
NAME = re.compile(r"(?:[^\W\d]|[.$])[\w.$]*$")

TYPES = {
    "function": "FUNC", "object": "OBJECT", "notype": "NOTYPE", "common": "OBJECT",
    "STT_FUNC": "FUNC", "STT_OBJECT": "OBJECT", "STT_NOTYPE": "NOTYPE", "STT_COMMON": "OBJECT",
    "gnu_unique_object": "OBJECT", "tls_object": "TLS", "STT_TLS": "TLS",
}  # fmt: skip


def name_of(span: Span, index: int) -> str:
    """The symbol name that an operand is."""
    name = span.text.strip()
    if _IN_QUOTES(name) is not None:
        try:
            return unquoted(name)
        except Problem as problem:
            problem.operand = index
            raise
    if not NAME.match(name) or name == ".":
        raise Problem(
            f"`{name}` is not a symbol name" if name else "a symbol name is missing here",
            operand=index,
            expected="letters, digits, `_`, `.` and `$`, not beginning with a digit",
        )
    return name


def _two(args: Span, form: str) -> tuple[Span, Span]:
    spans = split_operands(args.text, args.start)
    if len(spans) != 2:
        raise Problem("a name and a value are needed here", expected=form)
    return spans[0], spans[1]


def set_value(unit: Unit, name: str, value: Bound, variable: bool, operand: int | None = 0) -> None:
    """Define a symbol by a value; only variables (.set, .equ, =) may be defined again.

    ``operand`` is the one that names it.
    """
    known = unit.symbols.get(name)
    symbol = known
    if known is None:
        symbol = unit.symbols[name] = Symbol(name)
    elif known.state != UNDEFINED:
        if not (known.variable and variable):
            problem = unit.duplicate(known)
            problem.operand = operand
            raise problem
        # What used the old value keeps it.
        symbol = unit.symbols[name] = Symbol(
            name, binding=known.binding, declared=known.declared, type=known.type, size=known.size
        )
    assert symbol is not None
    symbol.variable = variable
    symbol.defined_at = unit.place
    symbol.section = None
    if isinstance(value, Rel):
        unit.copy_kind(symbol, value)
        value = anchored(value)
    if isinstance(value, int):
        symbol.state, symbol.value = ABSOLUTE, value
    elif isinstance(value, Rel) and isinstance(value.base, Section):
        symbol.state, symbol.section, symbol.value = LABEL, value.base, value.addend
    else:
        symbol.state, symbol.bound = EXPRESSION, value


def assign(unit: Unit, name: str, op: str, args: Span) -> None:
    """``name = value`` and ``name == value``"""
    if name == ".":
        from .data import origin

        origin(unit, args)
        return
    try:
        value = unit.bound(unit.parse(args, WHOLE), WHOLE)
    except Problem:
        unit.incomplete = True
        raise
    set_value(unit, name, value, op == "=", None)


def equ(variable: bool) -> Callable[[Unit, Span], None]:
    """A handler for .equ and .set, or .equiv, which may not define again."""

    def handler(unit: Unit, args: Span) -> None:
        plain = _PLAIN(args.text)
        if plain is not None and plain[1] != ".":
            set_value(unit, plain[1], int(plain[2], 0), variable)
            return
        first, second = _two(args, "name, value")
        name = name_of(first, 0)
        value = unit.bound(unit.parse(second, 1), 1)
        set_value(unit, name, value, variable)

    return handler


def binding(kind: int) -> Callable[[Unit, Span], None]:
    """A handler for .globl, .local and .weak."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        if not spans:
            raise Problem("a symbol name is missing here", expected="name, name ...")
        for index, span in enumerate(spans):
            name = name_of(span, index)
            symbol = unit.symbols.get(name)
            if symbol is None:
                symbol = unit.symbols[name] = Symbol(name)
            symbol.declared = True
            if symbol.used_at < 0:
                symbol.used_at = unit.place
            if not (kind == GLOBAL_BINDING and symbol.binding == WEAK_BINDING):
                symbol.binding = kind

    return handler


def symbol_type(unit: Unit, args: Span) -> None:
    """.type NAME, @function"""
    spans = split_operands(args.text, args.start)
    if len(spans) == 1:
        words = spans[0].text.split()
        if len(words) == 2:
            spans = [Span(words[0], 0), Span(words[1], 0)]
    if len(spans) != 2:
        raise Problem("a name and a type are needed here", expected=".type name, @function")
    name = name_of(spans[0], 0)
    word = spans[1].text.strip().strip('"')
    kind = TYPES.get(word.lstrip("@%#"))
    if kind is None:
        raise Problem(
            f"`{word}` is not a symbol type", operand=1, expected="@function, @object or @notype"
        )
    unit.symbols.setdefault(name, Symbol(name)).type = kind


def symbol_size(unit: Unit, args: Span) -> None:
    """.size NAME, EXPRESSION"""
    first, second = _two(args, ".size name, value")
    name = name_of(first, 0)
    value = unit.bound(unit.parse(second, 1), 1)
    unit.symbols.setdefault(name, Symbol(name)).size = value


def common(local: bool) -> Callable[[Unit, Span], None]:
    """A handler for .comm (shared with other sources) or .lcomm: storage in .bss."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        if not 2 <= len(spans) <= 3:
            raise Problem("a name and a size are needed here", expected="name, size, alignment")
        name = name_of(spans[0], 0)
        size = unit.evaluate(spans[1], 1, "a size")
        # Without an alignment GNU as takes the size, up to a power of two, at most 16; for
        # .lcomm down to one, at most 8.
        align = min(16, 1 << (max(size, 1) - 1).bit_length())
        if local:
            align = min(8, 1 << max(size, 1).bit_length() - 1)
        if len(spans) > 2:
            align = unit.evaluate(spans[2], 2, "an alignment")
        if size < 0 or size > unit.limits.memory_bytes:
            raise Problem(f"the size {size} is out of range", operand=1)
        if align < 1 or align & (align - 1) or align > 1 << 24:
            raise Problem(f"the alignment {align} is not a power of two", operand=2)
        symbol = unit.symbols.setdefault(name, Symbol(name))
        if symbol.state == COMMON and not local:
            symbol.value, symbol.align = max(symbol.value, size), max(symbol.align, align)
            return
        if symbol.state != UNDEFINED:
            raise unit.duplicate(symbol)
        symbol.defined_at = unit.place
        symbol.type = "OBJECT"
        symbol.size = size
        private = symbol.declared and symbol.binding == LOCAL_BINDING
        if not local and not private:
            symbol.state, symbol.value, symbol.align = COMMON, size, align
            symbol.binding = symbol.binding or GLOBAL_BINDING
            return
        bss = common_room(unit.section_named(".bss"), align)
        current, unit.section = unit.section, bss
        try:
            check_room(unit, size, 1)
        finally:
            unit.section = current
        bss.pad_to(align, None)
        symbol.state, symbol.section, symbol.value = LABEL, bss, bss.size
        bss.reserved += size

    return handler


def visibility(kind: int) -> Callable[[Unit, Span], None]:
    """A handler for .internal, .hidden and .protected."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        if not spans:
            raise Problem("a symbol name is missing here", expected="name, name ...")
        for index, span in enumerate(spans):
            name = name_of(span, index)
            unit.symbols.setdefault(name, Symbol(name)).visibility = kind

    return handler


def weak_reference(unit: Unit, args: Span) -> None:
    """.weakref ALIAS, TARGET: a name for a symbol that need not exist if nothing else uses it."""
    first, second = _two(args, ".weakref alias, target")
    alias, name = name_of(first, 0), name_of(second, 1)
    target = unit.symbols.get(name) or unit.new_symbol(name)
    at: Symbol | None = target
    while at is not None:
        if at.name == alias:
            raise Problem(f"`{alias}` would stand for itself", operand=0)
        at = at.weakref
    set_value(unit, alias, symbol_value(target), False)
    symbol = unit.symbols[alias]
    symbol.weakref = target
    # Uses of the alias are uses of what it stands for.
    symbol.reference = target.reference


def local_symbol(unit: Unit, args: Span) -> None:
    """.lsym NAME, VALUE: a number that is defined once, for the symbol table."""
    first, second = _two(args, "name, value")
    name = name_of(first, 0)
    set_value(unit, name, unit.evaluate(second, 1), False)


def structure(unit: Unit, args: Span) -> None:
    """.struct OFFSET or .offset OFFSET: labels up to the next section are plain numbers."""
    value = unit.evaluate(args, WHOLE, "an offset") if args.text.strip() else 0
    if not 0 <= value < 1 << 31:
        raise Problem(f"the offset {value} is out of range", operand=WHOLE, expected="0 or more")
    if unit.absolute is None:
        unit.absolute = Section("*ABS*", 0, SHT_NOBITS, -1)
    unit.absolute.reserved = value
    unit.switch(unit.absolute)


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {
    ".equ": equ(True),
    ".set": equ(True),
    ".equiv": equ(False),
    ".eqv": equ(False),
    ".xdef": binding(GLOBAL_BINDING),
    ".weakref": weak_reference,
    ".lsym": local_symbol,
    ".reloc": reloc,
    ".symver": symver,
    ".internal": visibility(1),
    ".hidden": visibility(2),
    ".protected": visibility(3),
    ".struct": structure,
    ".offset": structure,
    ".globl": binding(GLOBAL_BINDING),
    ".global": binding(GLOBAL_BINDING),
    ".local": binding(LOCAL_BINDING),
    ".weak": binding(WEAK_BINDING),
    ".type": symbol_type,
    ".size": symbol_size,
    ".comm": common(False),
    ".common": common(False),
    ".lcomm": common(True),
}
