"""Assembly syntax as data: matching operand texts to a row's syntax, and filling one in.

A syntax is a mnemonic and operands separated by commas: "sw rs2, imm(rs1)".  Its lower-case
words behind the mnemonic are the operand names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .registers import NUMBERS

NAME = re.compile(r"[a-z][a-z0-9]*")
"""An operand name inside a syntax."""

_MEMORY = re.compile(r"(?P<offset>.*?)\(\s*(?P<base>\w+)\s*\)$", re.DOTALL)
_BASES = frozenset(NUMBERS) | {"rs1", "rs2", "rd", "rt"}


def split_operands(text: str) -> list[str]:
    """Split at the commas that stand outside parentheses and quotes; "" has no operands."""
    parts, depth, quote, start = [], 0, "", 0
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[i - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return [*parts, last] if parts or last else []


def split_syntax(syntax: str) -> tuple[str, list[str]]:
    """The mnemonic and the operand patterns: "lw rd, imm(rs1)" -> ("lw", ["rd", "imm(rs1)"])."""
    mnemonic, _, rest = syntax.partition(" ")
    return mnemonic, split_operands(rest)


def bind(syntax: str, operands: Sequence[str]) -> dict[str, str] | None:
    """Match operand texts against a syntax: operand name -> text, or None if the shape differs.

    The pattern imm(rs1) takes "8(sp)", "(sp)" and "%lo(x)(sp)"; the pattern (rs1) takes
    "(sp)" and "0(sp)"; a plain name takes any text that is not of this memory form.
    Whether a text is a register, a number or a CSR is not asked here.
    """
    patterns = split_syntax(syntax)[1]
    if len(patterns) != len(operands):
        return None
    found: dict[str, str] = {}
    for pattern, text in zip(patterns, operands, strict=True):
        memory = _MEMORY.match(text.strip())
        if memory is not None and memory["base"] not in _BASES:
            memory = None
        if "(" not in pattern:
            if memory is not None:
                return None
            found[pattern] = text.strip()
            continue
        if memory is None:
            return None
        offset = memory["offset"].strip() or "0"
        offset_name, _, base_name = pattern.rstrip(")").partition("(")
        if offset_name:
            found[offset_name] = offset
        elif offset != "0":
            return None
        found[base_name] = memory["base"]
    return found


def fill(syntax: str, text_of: Callable[[str], str]) -> str:
    """Replace every operand name of a syntax by ``text_of(name)``."""
    mnemonic, space, rest = syntax.partition(" ")
    return mnemonic + space + NAME.sub(lambda m: text_of(m[0]), rest)


def substitute(line: str, values: dict[str, str]) -> str:
    """Replace the operand names in an expansion line; all other words stay as they are."""
    return NAME.sub(lambda m: values.get(m[0], m[0]), line)
