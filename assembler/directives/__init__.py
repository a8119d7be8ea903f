"""The directives: one function for each, taking the unit and the operand text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..conditions import BRANCHES, CONDITIONS, open_condition
from ..lexer import Span
from ..macros import (
    define,
    leave,
    purge,
    repeat,
    repeat_over,
    repeat_over_characters,
    set_alternate,
    stray_end,
)
from ..unit import Unit
from . import data, debug, files, insn, numbers, options, sections, symbols

Directive: TypeAlias = Callable[[Unit, Span], None]


def _condition(name: str) -> Directive:
    return lambda unit, args: open_condition(unit, name, args)


DIRECTIVES: dict[str, Directive] = {
    **{name: _condition(name) for name in CONDITIONS},
    **BRANCHES,
    ".macro": define,
    ".endm": stray_end(".endm"),
    ".exitm": leave,
    ".mexit": leave,
    ".purgem": purge,
    ".altmacro": set_alternate(True),
    ".noaltmacro": set_alternate(False),
    ".rept": repeat,
    ".rep": repeat,
    ".irp": repeat_over,
    ".irpc": repeat_over_characters,
    ".irep": repeat_over,
    ".irepc": repeat_over_characters,
    ".endr": stray_end(".endr"),
    **data.DIRECTIVES,
    **sections.DIRECTIVES,
    **symbols.DIRECTIVES,
    **files.DIRECTIVES,
    **insn.DIRECTIVES,
    **numbers.DIRECTIVES,
    **options.DIRECTIVES,
    **debug.DIRECTIVES,
}
"""Every directive by name, in lower case."""
