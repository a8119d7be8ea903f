"""Directives that choose the section."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem, did_you_mean
from ..lexer import Span, split_operands
from ..sections import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_MERGE,
    SHF_TLS,
    SHT_PROGBITS,
    TYPE_NAMES,
    Section,
    default_attributes,
    parse_flags,
)
from ..subsections import subsection

if TYPE_CHECKING:
    from ..unit import Unit

_NAME = re.compile(r"[^\s\"',;]+$")
_SECTIONS_MAX = 10_000


def named(name: str) -> Callable[[Unit, Span], None]:
    """A handler for .text, .data, .bss: switch to that section."""

    def handler(unit: Unit, args: Span) -> None:
        target = unit.section_named(name)
        if args.text.strip():
            target = subsection(unit, target, unit.evaluate(args, -2, "a subsection number"))
        unit.switch(target)

    return handler


def section(unit: Unit, args: Span) -> None:
    """.section NAME [, "flags" [, @type [, entsize]]]"""
    unit.switch(_described(unit, args, ".section"))


def part(unit: Unit, args: Span) -> None:
    """.subsection NUMBER: another part of the present section"""
    number = unit.evaluate(args, -2, "a subsection number")
    unit.switch(subsection(unit, unit.section, number))


def push(unit: Unit, args: Span) -> None:
    """.pushsection NAME ...: switch, and remember where from."""
    if len(unit.section_stack) >= 1000:
        raise Problem("sections are stacked too deeply", operand=None, fatal=True)
    spans = split_operands(args.text, args.start)
    number = 0
    if len(spans) == 2 and not spans[1].text.strip().startswith('"'):
        number = unit.evaluate(spans[1], 1, "a subsection number, or flags in quotes")
        args = Span(args.text[: spans[1].start - 1 - args.start], args.start)
    target = subsection(unit, _described(unit, args, ".pushsection"), number)
    unit.section_stack.append((unit.section, unit.previous))
    unit.switch(target)


def pop(unit: Unit, args: Span) -> None:
    """.popsection: back to where .pushsection was."""
    if not unit.section_stack:
        raise Problem("`.popsection` has no `.pushsection`", operand=None)
    back, previous = unit.section_stack.pop()
    unit.switch(back)
    unit.previous = previous


def previous(unit: Unit, args: Span) -> None:
    """.previous: change places with the section before this one."""
    unit.switch(unit.previous)


def _described(unit: Unit, args: Span, directive: str) -> Section:
    spans = split_operands(args.text, args.start)
    if not spans:
        raise Problem("the section needs a name", expected=f'{directive} name, "flags", @type')
    name = spans[0].text.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    if not _NAME.match(name):
        raise Problem(f"`{name}` is not a section name", operand=0)
    known = unit.sections.get(name)
    usual = default_attributes(name)
    flags, kind = usual or (0, SHT_PROGBITS)
    entsize = 0
    given = len(spans) > 1
    if given:
        text = spans[1].text.strip()
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            raise Problem("the flags must be in quotes", operand=1, expected='for instance "aw"')
        flags = parse_flags(text[1:-1])
    if flags & SHF_TLS:
        raise Problem("thread-local sections are not supported", operand=1)
    rest = spans[2:]
    if rest:
        word = rest[0].text.strip()
        found = TYPE_NAMES.get(word[1:]) if word[:1] in "@%" else None
        if word.isdigit() and len(word) < 10:
            found = int(word)
        if found is None:
            raise Problem(
                f"`{word}` is not a section type",
                operand=2,
                expected="@progbits or @nobits",
                hint=did_you_mean(word.lstrip("@%"), TYPE_NAMES),
            )
        kind = found
        if len(rest) > 1 and flags & SHF_MERGE:
            entsize = unit.evaluate(rest[1], 3, "an entry size")
    if known is not None:
        if given and (known.flags != flags or (rest and known.type != kind)):
            if known.size or known.name in (".text", ".data", ".bss"):
                unit.warn(
                    "section-attributes",
                    f"section `{name}` has other attributes already; these are ignored",
                    operand=1,
                )
            else:
                known.flags, known.type = flags, kind
        return known
    if len(unit.sections) >= _SECTIONS_MAX:
        raise Problem("there are too many sections", operand=0, fatal=True)
    if not given and usual is None:
        unit.warn(
            "section-flags",
            f"section `{name}` has no flags: it will not be loaded into memory",
            operand=0,
            hint=f'for data write .section {name}, "aw"; for code .section {name}, "ax"',
        )
    new = Section(name, flags, kind, len(unit.sections), entsize)
    if flags & SHF_EXECINSTR and flags & SHF_ALLOC:
        new.align = 4
    unit.sections[name] = new
    return new


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {
    ".text": named(".text"),
    ".data": named(".data"),
    ".bss": named(".bss"),
    ".rodata": named(".rodata"),
    ".sdata": named(".sdata"),
    ".sbss": named(".sbss"),
    ".section": section,
    ".subsection": part,
    ".pushsection": push,
    ".popsection": pop,
    ".previous": previous,
}
