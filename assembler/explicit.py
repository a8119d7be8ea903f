"""Relocations that the source writes itself: ``.reloc OFFSET, TYPE, VALUE``.

An object gets them as they stand.  When a program is linked they are applied like those of
objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .diagnostics import Problem, did_you_mean
from .elfdefs import R_ALIGN, R_NONE, R_RELAX, RELOCATION_NAMES
from .lexer import Span, split_operands
from .sections import Section
from .values import Bound, Rel, anchored

if TYPE_CHECKING:
    from .unit import Unit

NUMBERS = {f"R_RISCV_{name}": number for number, name in RELOCATION_NAMES.items()} | {
    "BFD_RELOC_NONE": 0, "BFD_RELOC_32": 1, "BFD_RELOC_64": 2,
}  # fmt: skip
_MOST = 200_000
SILENT = frozenset([R_NONE, R_RELAX, R_ALIGN])
"""Types that change nothing in a program that is linked here."""


@dataclass(slots=True)
class Explicit:
    """One relocation; ``section`` and ``offset`` are known once the source is read."""

    where: Bound
    type: int
    value: Bound
    place: int
    section: Section
    offset: int = 0


def reloc(unit: Unit, args: Span) -> None:
    """.reloc OFFSET, TYPE [, VALUE]"""
    spans = split_operands(args.text, args.start)
    if not 2 <= len(spans) <= 3:
        raise Problem(
            "a place and a type are needed here", operand=min(len(spans), 3) if spans else -1,
            expected=".reloc offset, R_RISCV_32, symbol",
        )  # fmt: skip
    name = spans[1].text.strip()
    kind = NUMBERS.get(name.upper())
    if kind is None:
        raise Problem(
            f"`{name}` is not a type of relocation", operand=1,
            expected="R_RISCV_32, R_RISCV_HI20 and so on",
            hint=did_you_mean(name.upper(), NUMBERS),
        )  # fmt: skip
    where = unit.bound(unit.parse(spans[0], 0), 0)
    value = unit.bound(unit.parse(spans[2], 2), 2) if len(spans) > 2 else 0
    if len(unit.explicit) >= _MOST:
        raise Problem("there are too many relocations", operand=None, fatal=True)
    unit.explicit.append(Explicit(where, kind, value, unit.place, unit.section))


def settle(unit: Unit) -> None:
    """Find where they are, at the end of the source."""
    for item in unit.explicit:
        unit.place = item.place
        section, offset = item.section.parent or item.section, item.where
        if isinstance(offset, Rel):
            where = anchored(offset)
            if isinstance(where.base, Section):
                section, offset = where.base, where.addend
        if not isinstance(offset, int):
            wanted = "an offset in this section or a label of this source"
            unit.report(Problem("this place is not known here", operand=0, expected=wanted))
            continue
        size = 0 if section.nobits else len(section.data)
        if not 0 <= offset <= size:
            message = f"the offset {offset:#x} is outside section `{section.name}`"
            unit.report(Problem(message, operand=0, expected=f"0 to {size:#x}"))
            continue
        item.section, item.offset = section, offset
