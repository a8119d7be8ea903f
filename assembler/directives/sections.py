"""Directives that choose the section."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..diagnostics import Problem, did_you_mean
from ..lexer import Span, parse_string, split_operands
from ..sections import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_GROUP,
    SHF_LINK_ORDER,
    SHF_MERGE,
    SHF_TLS,
    SHT_PROGBITS,
    TYPE_NAMES,
    Section,
    default_attributes,
    parse_flags,
)
from ..source import decode, encode
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


@dataclass
class _Described:
    """What a directive says of a section."""

    flags: int
    kind: int
    typed: bool = False
    entsize: int = 0
    group: str = ""
    comdat: bool = False
    linked: str = ""
    unique: int = 0

    def key(self, name: str) -> str:
        """Sections of one name are several if their groups or numbers differ."""
        key = f"{name}\0{self.group}" if self.group else name
        if self.linked or self.unique:
            key += f"\0{self.linked}\0{self.unique}"
        return key


def _described(unit: Unit, args: Span, directive: str) -> Section:
    spans = split_operands(args.text, args.start)
    if not spans:
        raise Problem("the section needs a name", expected=f'{directive} name, "flags", @type')
    name = _name(spans[0])
    usual = default_attributes(name)
    flags, kind = usual or (0, SHT_PROGBITS)
    given = len(spans) > 1
    said = _attributes(unit, spans, kind) if given else _Described(flags, kind)
    flags, kind = said.flags, said.kind
    key = said.key(name)
    known = unit.sections.get(key)
    if known is not None:
        if given and (known.flags != flags or (said.typed and known.type != kind)):
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
    new = Section(name, flags, kind, len(unit.sections), said.entsize)
    new.group, new.comdat, new.linked = said.group, said.comdat, said.linked
    if flags & SHF_EXECINSTR and flags & SHF_ALLOC:
        new.align = 4
    unit.sections[key] = new
    return new


def _name(span: Span) -> str:
    """The name of a section: a word, or anything in quotes."""
    text = span.text.strip()
    if text.startswith('"'):
        try:
            name = decode(parse_string(text, encode))
        except Problem as problem:
            problem.operand = 0
            raise
        if name and "\0" not in name:
            return name
    elif _NAME.match(text):
        return text
    raise Problem(
        f"`{text}` is not a section name", operand=0,
        hint="a name with blanks needs quotes" if len(text.split()) > 1 else "",
    )  # fmt: skip


def _attributes(unit: Unit, spans: list[Span], usual: int) -> _Described:
    """The operands behind the name: flags, type and what some flags need."""
    text = spans[1].text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise Problem("the flags must be in quotes", operand=1, expected='for instance "aw"')
    said = _Described(parse_flags(text[1:-1]), usual)
    if said.flags & SHF_TLS:
        raise Problem("thread-local sections are not supported", operand=1)
    if "?" in text and unit.section.group:
        said.group, said.comdat = unit.section.group, unit.section.comdat
        said.flags |= SHF_GROUP
    rest = [span.text.strip() for span in spans[2:]]
    at = 0
    if rest and rest[0][:1] in ("@", "%", '"'):
        said.kind, said.typed = _type(rest[0]), True
        at = 1
    if said.flags & SHF_MERGE:
        if at < len(rest):
            said.entsize = unit.evaluate(spans[2 + at], 2 + at, "an entry size")
            at += 1
    if said.flags & SHF_LINK_ORDER and at < len(rest) and rest[at] != "unique":
        said.linked = rest[at]
        at += 1
    if said.flags & SHF_GROUP and not said.group:
        if at < len(rest):
            said.group = _name(spans[2 + at])
            at += 1
            if rest[at : at + 1] == ["comdat"]:
                said.comdat = True
                at += 1
        else:
            unit.warn(
                "section-flags", "the group of this section has no name; it belongs to none",
                operand=1, hint='write .section name, "awG", @progbits, group, comdat',
            )  # fmt: skip
            said.flags &= ~SHF_GROUP
    if rest[at : at + 1] == ["unique"]:
        at += 1
        if at < len(rest):
            said.unique = unit.evaluate(spans[2 + at], 2 + at, "a number")
            at += 1
    if at < len(rest):
        raise _unexpected(rest[at], at, said)
    return said


def _type(word: str) -> int:
    """The section type that @progbits and the like, or @ and a number, mean."""
    bare = word[1:-1] if word[0] == '"' and word[-1:] == '"' else word[1:]
    number = re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}", bare)
    found = TYPE_NAMES.get(bare)
    if found is None and number is not None:
        found = int(bare, 16 if bare[:2] in ("0x", "0X") else 10)
    if found is None or found >> 32:
        raise Problem(
            f"`{word}` is not a section type",
            operand=2,
            expected="@progbits or @nobits",
            hint=did_you_mean(bare, TYPE_NAMES),
        )
    return found


def _unexpected(word: str, at: int, said: _Described) -> Problem:
    """An operand that the flags leave no room for."""
    hint = ""
    if word in TYPE_NAMES:
        hint = f"a section type begins with @: @{word}"
    elif word.isdigit() and not said.flags & SHF_MERGE:
        hint = 'an entry size belongs to sections with "M"'
    elif not said.flags & SHF_GROUP:
        hint = 'a group belongs to sections with "G"'
    return Problem(f"`{word}` does not belong here", operand=2 + at, hint=hint)


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
