"""Symbols that have the name of a register, or a name in quotes.

C programs have variables such as `fp` or `a0`.

GNU as takes any name for a symbol where a symbol may stand.  Here that would hide the usual
mistakes (`lw a0, a1`), so a register's name means a symbol only in a source that says so: it
defines or declares the symbol, before or behind the place, or a compiler wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from toyvm.isa.registers import NUMBERS

from .diagnostics import Problem

_DECLARED = re.compile(
    r"""^[ \t]*(?:
        (?P<labels>(?:[\w.$]+[ \t]*:[ \t]*)+)
      | (?P<assigned>[\w.$]+)[ \t]*==?(?!=)
      | \.(?:globl|global|local|weak|extern|xdef|xref|hidden|internal|protected)[ \t]+
        (?P<all>[^\n;\#]*)
      | \.(?:comm|common|lcomm|set|equ|equiv|eqv|type|lsym|weakref)[ \t]+(?P<first>[\w.$]+)
    )""",
    re.VERBOSE | re.MULTILINE | re.ASCII,
)
_WORD = re.compile(r"[\w.$]+", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)+)"')
_QUOTING = re.compile(r"\\([\\\"])")
_DEFINED = re.compile(
    r"""(?:"((?:[^"\\\n]|\\.)+)"|(?<![\w.$])([\w.$]+))[ \t]*(?::(?!:)|=(?!=))""", re.ASCII
)
_IN_DIRECTIVE = re.compile(
    r"""^[ \t]*\.(?:globl|global|local|weak|extern|comm|common|lcomm|set|equ|equiv|eqv|type|hidden
        |weakref)[ \t][^\n]*"[^\n]*""",
    re.MULTILINE | re.VERBOSE,
)
_COMPILER = re.compile(r'^[ \t]*\.ident[ \t]+"[^"\n]*(?:GCC|clang)', re.MULTILINE)


def by_compiler(texts: Iterable[str]) -> bool:
    """Whether a compiler wrote the source: gcc and clang sign theirs with `.ident`."""
    return any(".ident" in text and _COMPILER.search(text) is not None for text in texts)


def declared(texts: Iterable[str]) -> frozenset[str]:
    """The names of registers that the texts (without comments) define or declare as symbols."""
    found: set[str] = set()
    for text in texts:
        for match in _DECLARED.finditer(text):
            found.update(_WORD.findall(match[match.lastgroup or 0]))
    return frozenset(found & NUMBERS.keys())


def not_a_symbol(name: str) -> Problem:
    """The message for a register where the name of a symbol is wanted."""
    return Problem(
        f"`{name}` is a register, not a symbol",
        expected="a number or the name of a label",
        hint=f"for a symbol of that name in another source, say .extern {name} first",
    )


def said(texts: Iterable[str]) -> frozenset[str]:
    """Names that the texts define, or declare in quotes: what a text in quotes can mean."""
    found: set[str] = set()
    for text in texts:
        for match in _DEFINED.finditer(text):
            found.add(match[1] or match[2])
        for match in _IN_DIRECTIVE.finditer(text):
            found.update(_QUOTED.findall(match[0]))
    return frozenset(_QUOTING.sub(r"\1", name) for name in found)


def not_a_name(text: str) -> Problem:
    """The message for a string where a number or a symbol is wanted."""
    hint = f"""put it behind a label, msg: .asciz "{text[:30]}", and name the label"""
    if len(text) == 1:
        hint = f"a character is written '{text}'"
    return Problem(
        f'`"{text[:60]}"` is a string, not a value', expected="a number or a symbol", hint=hint
    )
