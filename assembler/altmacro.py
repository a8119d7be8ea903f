"""The alternate macro syntax of ``.altmacro``: <text>, %expression, LOCAL names, bare parameters.

As in GNU as: parameters are replaced without a backslash, ``&`` joins them to what stands
beside, ``LOCAL name`` makes a fresh label for each expansion, ``<a, b>`` is one argument with
``!`` before characters that are meant literally, and ``%(1+2)`` is the number 3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .diagnostics import Problem
from .lexer import Span, skip_quoted

if TYPE_CHECKING:
    from .unit import Unit

_LOCAL = re.compile(r"[ \t]*LOCAL[ \t]+(.*)$", re.IGNORECASE)
_WORD = re.compile(r"(&?)((?:[^\W\d]|[.$])[\w.$]*)(&?)")
_LEAD = re.compile(r"[\w.$\\]")


def argument(unit: Unit, text: str, at: int) -> tuple[str, int] | None:
    """The argument at ``at`` and the index behind it; None if it has no special form."""
    if text[at] == "<":
        return _bracketed(text, at)
    if text[at] == "'":
        end = text.find("'", at + 1)
        return None if end < 0 else (text[at + 1 : end], end + 1)
    if text[at] == "%":
        end = _end_of_expression(text, at + 1)
        value = unit.evaluate(Span(text[at + 1 : end], 0), -2, "a number for `%`")
        return str(value), end
    return None


def _bracketed(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    depth = 1
    i = at + 1
    while i < len(text):
        char = text[i]
        if char == "!" and i + 1 < len(text):
            i += 1
            out.append(text[i])
            i += 1
            continue
        depth += (char == "<") - (char == ">")
        if depth == 0:
            return "".join(out), i + 1
        out.append(char)
        i += 1
    raise Problem("this `<` is never closed", operand=-2, hint="end the argument with `>`")


def _end_of_expression(text: str, at: int) -> int:
    depth = 0
    while at < len(text) and (depth > 0 or text[at] not in ", \t"):
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return at


def prepare(unit: Unit, body: tuple[str, ...], values: dict[str, str]) -> list[str]:
    """The body with LOCAL names and bare parameters replaced; backslash forms stay."""
    names = dict(values)
    out: list[str] = []
    for line in body:
        found = _LOCAL.match(line)
        if found is not None:
            for name in re.split(r"[\s,]+", found[1].strip()):
                names[name] = f".LL{unit.local_count:04x}"
                unit.local_count += 1
            out.append("")
            continue
        out.append(_replaced(line, names))
        if len(out[-1]) > unit.limits.line_bytes:
            raise Problem("an expanded line is too long", operand=None, fatal=True)
    return out


def _replaced(line: str, names: dict[str, str]) -> str:
    out: list[str] = []
    at = 0
    while at < len(line):
        char = line[at]
        if char == '"':
            end = skip_quoted(line, at)
            out.append(line[at:end])
            at = end
            continue
        found = _WORD.match(line, at)
        if found is not None and (found[1] or not (at and _LEAD.match(line[at - 1]))):
            if found[2] in names:
                out.append(names[found[2]])
                at = found.end()
            else:
                end = found.end(2) if not found[1] else at + 1
                out.append(line[at:end])
                at = end
            continue
        out.append(char)
        at += 1
    return "".join(out)
