"""Which input sections the patterns of a linker script name, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .resolve import LinkUnit
from .script_nodes import Input, Pattern
from .sections import Section


def take(
    statement: Input, free: list[tuple[LinkUnit, Section]]
) -> tuple[list[Section], list[tuple[LinkUnit, Section]]]:
    """The sections that a statement names, in its order, and those that are left."""
    if not any(p.sort for p in statement.patterns) and not statement.sort:
        taken = [
            (u, s) for u, s in free if any(_means(statement, p, u, s) for p in statement.patterns)
        ]
        gone = {id(s) for _, s in taken}
    else:
        taken = []
        gone = set()
        for pattern in statement.patterns:
            found = [
                (u, s) for u, s in free if id(s) not in gone and _means(statement, pattern, u, s)
            ]
            for how in reversed(pattern.sort):
                found.sort(key=_SORTS.get(how, lambda pair: 0))
            if statement.sort:
                found.sort(key=lambda pair: pair[0].name)
            taken += found
            gone |= {id(s) for _, s in found}
    return [s for _, s in taken], [(u, s) for u, s in free if id(s) not in gone]


def _priority(name: str) -> int:
    number = name.rpartition(".")[2]
    return int(number) if number.isdigit() and len(number) < 10 else 65536


_SORTS: dict[str, Callable[[tuple[LinkUnit, Section]], Any]] = {
    "SORT": lambda pair: pair[1].name,
    "SORT_BY_NAME": lambda pair: pair[1].name,
    "SORT_BY_ALIGNMENT": lambda pair: -pair[1].align,
    "SORT_BY_INIT_PRIORITY": lambda pair: _priority(pair[1].name),
}


def _means(statement: Input, pattern: Pattern, unit: LinkUnit, section: Section) -> bool:
    """Whether a statement's pattern names the section of the unit."""
    if not wildcard(pattern.text).match(section.name):
        return False
    if statement.file != "*" and not _is_file(statement.file, unit.name):
        return False
    return not any(_is_file(f, unit.name) for f in (*statement.excluded, *pattern.excluded))


def _is_file(pattern: str, name: str) -> bool:
    """Whether a file pattern means the unit: by its path, its name, its member, or its object."""
    member = name[name.rindex("(") + 1 : -1] if name.endswith(")") and "(" in name else ""
    last = name.rsplit("/", 1)[-1]
    names = [name, last, member]
    if last.endswith((".s", ".S")):
        # The object that the source would be.
        names += [last[:-2] + ".o", name[:-2] + ".o"]
    rule = wildcard(pattern)
    return any(n and rule.match(n) for n in names)


@lru_cache(maxsize=4096)
def wildcard(text: str) -> re.Pattern[str]:
    """A pattern of linker scripts: ``*``, ``?`` and ``[...]``."""
    out = ""
    at = 0
    while at < len(text):
        c = text[at]
        if c == "*":
            if not out.endswith(".*"):
                out += ".*"
        elif c == "?":
            out += "."
        elif c == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end]
            negated = inner[:1] in "!^"
            body = re.escape(inner[negated:]).replace(r"\-", "-")
            out += "[" + "^" * negated + body + "]"
            at = end
        else:
            out += re.escape(c)
        at += 1
    try:
        return re.compile(out + r"\Z", re.DOTALL)
    except re.error:
        return re.compile(re.escape(text) + r"\Z")
