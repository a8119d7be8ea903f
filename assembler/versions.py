"""Versions of symbols: ``.symver NAME, NAME@VERSION``, for shared libraries made elsewhere.

Nothing that is linked here has versions; an object carries them as GNU as writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .diagnostics import Problem
from .lexer import Span, split_operands
from .objects import UNDEFINED_INDEX, ObjectSymbol
from .values import UNDEFINED, Symbol

if TYPE_CHECKING:
    from .lower import Lowering
    from .unit import Unit

_NAME = re.compile(r"([^@\s]+)(@{1,3})([^@\s]+)").fullmatch
_FATES = ("", "local", "hidden", "remove")
_MOST = 100_000


@dataclass(slots=True)
class Version:
    """One directive: ``name`` gets the further name ``base`` + ``marks`` + ``version``."""

    symbol: Symbol
    base: str
    marks: str
    version: str
    fate: str
    place: int


def symver(unit: Unit, args: Span) -> None:
    """.symver NAME, NAME@VERSION [, local|hidden|remove]; @@ is the default version."""
    from .directives.symbols import name_of

    spans = split_operands(args.text, args.start)
    if not 2 <= len(spans) <= 3:
        raise Problem("two names are needed here", expected=".symver name, name@VERSION")
    name = name_of(spans[0], 0)
    found = _NAME(spans[1].text.strip())
    if found is None:
        raise Problem(
            f"`{spans[1].text.strip()}` names no version", operand=1,
            expected=f"{name}@VERSION, {name}@@VERSION or {name}@@@VERSION",
        )  # fmt: skip
    fate = spans[2].text.strip() if len(spans) > 2 else ""
    if fate not in _FATES:
        raise Problem(f"`{fate}` does not belong here", operand=2, expected="local, hidden, remove")
    if len(unit.versions) >= _MOST:
        raise Problem("there are too many versions", operand=None, fatal=True)
    symbol = unit.symbols.get(name) or unit.new_symbol(name)
    unit.versions.append(Version(symbol, found[1], found[2], found[3], fate, unit.place))


def add_versions(lowering: Lowering) -> None:
    """The symbols with versions, once all others stand in the table."""
    unit, table = lowering.unit, lowering.object.symbols
    for item in unit.versions:
        known = item.symbol.state != UNDEFINED
        name = f"{item.base}{'@' * min(len(item.marks), 2)}{item.version}"
        if not known:
            if item.marks == "@@":
                unit.place = item.place
                name = item.symbol.name
                message = f"`{name}` is not defined: it cannot have a default version"
                hint = f"write {item.base}@{item.version}"
                unit.report(Problem(message, operand=1, hint=hint))
                continue
            number = lowering.symbols.get(id(item.symbol), -1)
            if number >= 0:
                table[number].name = f"{item.base}@{item.version}"
            continue
        number = lowering.number(item.symbol)
        if number < 0 or table[number].section == UNDEFINED_INDEX:
            continue
        made: ObjectSymbol = table[number]
        if item.marks == "@@@" or item.fate == "remove":
            made.name = name
            continue
        lowering.add(replace(made, name=name))
        if item.fate == "local":
            made.binding = "LOCAL"
        elif item.fate == "hidden":
            made.visibility = "HIDDEN"
