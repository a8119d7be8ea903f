"""Conditional assembly: .if and its relatives, .else, .elseif, .endif."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .diagnostics import Problem
from .expressions import unquoted
from .frames import SPLIT, Frame
from .lexer import Span, parse_statement, split_line, split_operands

if TYPE_CHECKING:
    from .unit import Unit


@dataclass(slots=True)
class Condition:
    """One open condition.

    ``active``: its lines are assembled now.  ``done``: a branch was taken, or an outer
    condition leaves everything out, so no later branch counts.
    """

    active: bool
    done: bool
    place: int
    in_else: bool = False


_WORDS = re.compile(r"\.(?:if|else|endif|end[cm]|macro|rept|irp)", re.IGNORECASE)


def _comparison(test: Callable[[int], bool]) -> Callable[[Unit, Span], bool]:
    def decide(unit: Unit, args: Span) -> bool:
        if not args.text:
            raise Problem("a value is missing here", expected="an expression to test")
        return test(unit.evaluate(args, -2, "a condition"))

    return decide


def _defined(unit: Unit, args: Span) -> bool:
    name = args.text.strip()
    if re.fullmatch(r'"(?:[^"\\]|\\.)+"', name):
        return unit.is_defined(unquoted(name))
    if not re.fullmatch(r"(?:[^\W\d]|[.$])[\w.$]*", name):
        raise Problem("this is not a symbol name", operand=-2, expected="one name")
    return unit.is_defined(name)


def _strings(args: Span) -> tuple[str, str]:
    parts = split_operands(args.text)
    if len(parts) != 2:
        raise Problem("two texts are compared here", expected="text, text")

    def plain(text: str) -> str:
        text = text.strip()
        if len(text) > 1 and text[0] == text[-1] == "'":
            return text[1:-1]
        return text

    return plain(parts[0].text), plain(parts[1].text)


def _quoted(args: Span) -> tuple[str, str]:
    parts = split_operands(args.text)
    texts = [p.text.strip() for p in parts]
    if len(texts) != 2 or any(len(t) < 2 or t[0] != '"' or t[-1] != '"' for t in texts):
        raise Problem("two strings are compared here", expected='"text", "text"')
    return texts[0], texts[1]


CONDITIONS: dict[str, Callable[[Unit, Span], bool]] = {
    ".if": _comparison(lambda v: v != 0),
    ".ifne": _comparison(lambda v: v != 0),
    ".ifeq": _comparison(lambda v: v == 0),
    ".ifgt": _comparison(lambda v: v > 0),
    ".ifge": _comparison(lambda v: v >= 0),
    ".iflt": _comparison(lambda v: v < 0),
    ".ifle": _comparison(lambda v: v <= 0),
    ".ifdef": _defined,
    ".ifndef": lambda unit, args: not _defined(unit, args),
    ".ifnotdef": lambda unit, args: not _defined(unit, args),
    ".ifb": lambda unit, args: not args.text.strip(),
    ".ifnb": lambda unit, args: bool(args.text.strip()),
    ".ifc": lambda unit, args: len(set(_strings(args))) == 1,
    ".ifnc": lambda unit, args: len(set(_strings(args))) == 2,
    ".ifeqs": lambda unit, args: len(set(_quoted(args))) == 1,
    ".ifnes": lambda unit, args: len(set(_quoted(args))) == 2,
}


def open_condition(unit: Unit, name: str, args: Span) -> None:
    """Begin a condition; one that cannot be decided counts as false, to be silent inside."""
    if len(unit.conditions) >= unit.limits.condition_depth:
        raise Problem("conditions are nested too deeply", operand=None, fatal=True)
    condition = Condition(False, False, unit.place)
    unit.conditions.append(condition)
    try:
        if unit.skipping:
            condition.done = True
        else:
            condition.active = condition.done = CONDITIONS[name](unit, args)
    except Problem:
        condition.done = True
        raise
    finally:
        unit.update_skipping()


def _innermost(unit: Unit, name: str) -> Condition:
    """The condition that .else and .endif belong to: it must begin in the same frame."""
    frame = next((f for f in reversed(unit.frames) if f.kind != SPLIT), None)
    floor = frame.conditions if frame else 0
    if len(unit.conditions) <= floor:
        raise Problem(f"`{name}` has no `.if`", operand=None)
    return unit.conditions[-1]


def otherwise(unit: Unit, args: Span) -> None:
    """.else"""
    condition = _innermost(unit, ".else")
    if condition.in_else:
        raise Problem("this condition has an `.else` already", operand=None)
    condition.in_else = True
    condition.active = not condition.done
    condition.done = True
    unit.update_skipping()


def otherwise_if(unit: Unit, args: Span) -> None:
    """.elseif"""
    condition = _innermost(unit, ".elseif")
    if condition.in_else:
        raise Problem("`.elseif` cannot follow `.else`", operand=None)
    if condition.done:
        condition.active = False
    else:
        condition.done = True
        condition.active = CONDITIONS[".if"](unit, args)
        condition.done = condition.active
    unit.update_skipping()


def close_condition(unit: Unit, args: Span) -> None:
    """.endif"""
    _innermost(unit, ".endif")
    unit.conditions.pop()
    unit.update_skipping()


def skip(unit: Unit, frame: Frame) -> None:
    """Pass over the lines of a frame until something is assembled again."""
    search = _WORDS.search
    lines = frame.lines
    start = frame.index
    i = start
    while i < len(lines) and unit.skipping:
        line = lines[i]
        i += 1
        if search(line) is None:
            continue
        frame.index = i
        unit.place = frame.base + i - 1
        pieces = split_line(line)
        if len(pieces) > 1:
            unit.count(i - start)
            unit.split_frame(pieces)
            return
        statement = parse_statement(pieces[0])
        if statement.op is None or statement.target is not None:
            continue
        name = statement.op.text.lower()
        if name in CONDITIONS:
            unit.guarded(open_condition, unit, name, statement.operands)
        elif name in BRANCHES:
            unit.guarded(BRANCHES[name], unit, statement.operands)
    frame.index = i
    unit.count(i - start)


BRANCHES: dict[str, Callable[[Unit, Span], None]] = {
    ".else": otherwise,
    ".elsec": otherwise,
    ".elseif": otherwise_if,
    ".elsif": otherwise_if,
    ".endif": close_condition,
    ".endc": close_condition,
}
