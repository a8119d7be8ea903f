"""Operands of instructions: registers, numbers, expressions and memory, parsed once per text.

An operand is a pair of a kind and a value:

``r``  a register: its number
``x``  a number known from the text alone: int
``X``  any other expression: a tree
``m``  memory with such a number as offset: (offset, register)
``M``  memory with another expression as offset: (tree, register)

The kinds of all operands, joined, are the *shape* that selects the form of an instruction.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from toyvm.isa.registers import NUMBERS

from .diagnostics import Problem, did_you_mean
from .expressions import MODIFIERS, Expr, Modified, Name, parse

Operand: TypeAlias = tuple[str, int | Expr | tuple[int | Expr, int]]

_PLAIN_NAME = re.compile(r"(?:[^\W\d]|[.$])[\w.$]*$")
_PLAIN_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,9})$", re.ASCII)

# Text that means the same wherever it stands: no quotes, comments, separators or escapes.
_PLAIN = re.compile(r"[\w.$ \t+*()%@~&|^!<>-]*", re.ASCII).fullmatch

_PLAIN_MEMORY = re.compile(r"(-?(?:0|[1-9][0-9]{0,9}))\(([a-z0-9]+)\)$", re.ASCII)

_cache: dict[str, Operand] = {}
_CACHE_SIZE = 50_000
_CACHED_LENGTH = 64


def operand(text: str) -> Operand:
    """The operand that ``text`` is; Problem with a span if it is none."""
    found = _cache.get(text)
    if found is None:
        found = _parse(text)
        if len(text) <= _CACHED_LENGTH and _PLAIN(text):
            if len(_cache) >= _CACHE_SIZE:
                _cache.clear()
            _cache[text] = found
    return found


def cached() -> dict[str, Operand]:
    """The table of operands seen so far, for the assembler's inner loop to look into.

    It holds plain text alone, so that what is found in it between two commas is an operand,
    whatever stands around it.
    """
    return _cache


def plain_operand(text: str) -> Operand | None:
    """The operand if the text is plain and right; None leaves it to who looks closer."""
    if _PLAIN(text) is None:
        return None
    try:
        found = _parse(text)
    except Problem:
        return None
    if len(text) <= _CACHED_LENGTH:
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        _cache[text] = found
    return found


def _parse(text: str) -> Operand:
    word = text.strip()
    number = NUMBERS.get(word)
    if number is not None:
        return "r", number
    if word[-1:] == ")":
        memory = _PLAIN_MEMORY.match(word)
        number = NUMBERS.get(memory[2]) if memory is not None else None
        if memory is not None and number is not None:
            return "m", (int(memory[1]), number)
    elif _PLAIN_NUMBER.match(word):
        return "x", int(word, 0)
    if word != "." and _PLAIN_NAME.match(word):
        return "X", Name(word)
    if word.endswith("@plt") and _PLAIN_NAME.match(word[:-4]):
        return "X", Modified("plt", Name(word[:-4]))
    if word.endswith(")"):
        found = _memory(text, word)
        if found is not None:
            return found
    tree = parse(text)
    return ("x" if isinstance(tree, int) else "X"), tree


def _memory(text: str, word: str) -> Operand | None:
    """``offset(register)``; None if the parentheses are part of an expression."""
    opened = word.rfind("(")
    if opened < 0:
        return None
    base = word[opened + 1 : -1].strip()
    number = NUMBERS.get(base)
    offset = word[:opened]
    if number is None:
        before = offset.rstrip()[-1:]
        if not before or before in "+-*/%<>=!~&|^(,":
            return None
        if re.search(r"%[a-z_]+$", offset.rstrip()):
            return None
        lead = len(text) - len(text.lstrip())
        start = lead + opened + 1
        hint = did_you_mean(base, NUMBERS) if base else ""
        if offset.strip() in MODIFIERS:
            hint = f"relocation operators begin with `%`: %{offset.strip()}({base})"
        raise Problem(
            f"`{base}` is not a register" if base else "a register is missing here",
            span=(start, start + max(len(base), 1)),
            expected="a register such as sp or a0",
            hint=hint,
        )
    if not offset.strip():
        return "m", (0, number)
    if offset.lstrip()[0] == "%" and offset.strip()[1:] in MODIFIERS:
        # %hi(a0): a symbol with the name of a register, if the source has one.
        return None
    tree = parse(text[: text.rindex("(")])
    return ("m", (tree, number)) if isinstance(tree, int) else ("M", (tree, number))


LIKE_REGISTER = re.compile(r"[xast][0-9]+$", re.ASCII)
"""Names that were probably meant as a register."""


def not_a_register(name: str, index: int) -> Problem:
    """The message for a name such as a9 or x32."""
    return Problem(
        f"`{name}` is not a register",
        operand=index,
        expected="x0 to x31, a0 to a7, s0 to s11, t0 to t6, zero, ra, sp, gp, tp or fp",
        hint=did_you_mean(name, NUMBERS),
    )


def describe(kind: str) -> str:
    """What an operand of this kind is, in words."""
    return {
        "r": "a register",
        "x": "a number",
        "X": "an expression",
        "m": "a memory operand",
        "M": "a memory operand",
    }[kind]
