"""Directives that put bytes into a section, reserve space or align."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem
from ..expressions import Modified, Name
from ..lexer import Span, parse_string, split_operands
from ..operands import operand, plain_operand
from ..sections import DATA_KINDS, SHF_ALLOC, Fixup
from ..source import encode
from ..values import Rel, anchored

if TYPE_CHECKING:
    from ..unit import Unit

_LARGEST_ALIGNMENT = 24
_PLAIN_STRING = re.compile(r'"([^"\\]*)"[ \t]*').fullmatch
Directive = Callable[["Unit", Span], None]


def integers(size: int, aligned: bool = False) -> Directive:
    """A handler for .byte, .half, .word or .dword: values of ``size`` bytes.

    ``aligned`` values warn where one load cannot fetch (each half of) them.
    """
    mask = (1 << 8 * size) - 1
    kind = DATA_KINDS[size]
    step = min(size, 4) if aligned else 1

    def handler(unit: Unit, args: Span) -> None:
        section = unit.section
        extra = section.size % step
        if extra and section.flags & SHF_ALLOC and args.text:
            unit.warn(
                "misaligned-data",
                f"this stands {extra} byte{'s' * (extra > 1)} behind a multiple of {step}",
                hint=f"put `.balign {step}` before the label, or use .{size}byte where it is meant",
            )
        if '"' not in args.text and "(" not in args.text and "'" not in args.text:
            if not section.nobits and _plain_values(unit, args.text.split(","), size, kind):
                return
        for index, span in enumerate(split_operands(args.text, args.start)):
            value = _value(unit, span, index)
            if isinstance(value, int):
                if not -mask - 1 < value <= mask:
                    _truncated(unit, value, mask, index)
                unit.emit((value & mask).to_bytes(size, "little"))
            else:
                fixup = Fixup(len(section.data), kind, value, unit.place)
                unit.emit(bytes(size))
                section.fixups.append(fixup)

    return handler


def _plain_values(unit: Unit, pieces: list[str], size: int, kind: int) -> bool:
    """Store numbers that fit and symbols, if there is nothing else; whether that was done."""
    limit = 1 << 8 * size
    values: list[int | Name] = []
    for piece in pieces:
        kind_, value = plain_operand(piece) or ("", 0)
        if isinstance(value, Name) or (kind_ == "x" and isinstance(value, int)):
            values.append(value)
        else:
            return False
    section = unit.section
    at = len(section.data)
    out = b""
    fixups: list[Fixup] = []
    for value in values:
        found = unit.bound(value, 0)
        if not isinstance(found, int):
            fixups.append(Fixup(at + len(out), kind, found, unit.place))
            out += bytes(size)
        elif -limit < found < limit:
            out += (found & limit - 1).to_bytes(size, "little")
        else:
            return False
    unit.emit(out)
    section.fixups += fixups
    return True


def _value(unit: Unit, span: Span, index: int):
    try:
        kind, value = operand(span.text)
    except Problem as problem:
        problem.operand = index
        raise
    if kind == "x":
        return value
    if kind == "X" and not isinstance(value, tuple):
        if isinstance(value, Modified):
            raise Problem(
                f"`%{value.op}` gives a part of an instruction, not a value to store",
                operand=index,
            )
        return unit.stored_value(value, index)
    name = span.text.strip()
    if kind == "r" and unit.means_symbol(name):
        return unit.stored_value(Name(name), index)
    raise Problem(
        f"`{name}` is a register, not a value" if kind == "r" else f"`{name}` is not a value",
        operand=index,
        expected="a number, a symbol or an expression",
    )


def _truncated(unit: Unit, value: int, mask: int, index: int) -> None:
    unit.warn(
        "truncated",
        f"{value:#x} does not fit; it is cut to {value & mask:#x}",
        operand=index,
        hint=f"the largest value here is {mask:#x}",
    )


def strings(end: bytes) -> Directive:
    """A handler for .ascii (no end) or .asciz (a zero byte after each string)."""

    def handler(unit: Unit, args: Span) -> None:
        plain = _PLAIN_STRING(args.text)
        if plain is not None:
            unit.emit(encode(plain[1]) + end)
            return
        out = b""
        for index, span in enumerate(split_operands(args.text, args.start)):
            try:
                lead = len(span.text) - len(span.text.lstrip())
                out += parse_string(span.text, encode) + end
            except Problem as problem:
                problem.operand = index
                if problem.span is not None:
                    problem.span = problem.span[0] + lead, problem.span[1] + lead
                raise
        unit.emit(out)

    return handler


def check_room(unit: Unit, count: int, index: int) -> None:
    """Problem if the section cannot grow by ``count`` bytes."""
    section = unit.section
    limit = unit.limits.memory_bytes if section.nobits else unit.limits.image_bytes
    used = section.size if section.nobits else unit.stored
    if count > limit - used:
        raise Problem(
            f"{count} bytes are too many: {'a section' if section.nobits else 'the program'} "
            f"may have {limit}",
            operand=index,
            hint="" if section.nobits else "large empty areas belong into .bss",
        )
    if not section.nobits:
        unit.stored += count


def fill_bytes(unit: Unit, count: int, pattern: bytes, index: int) -> None:
    """Append ``count`` copies of a pattern."""
    if count < 0:
        raise Problem(f"the count is {count}", operand=index, expected="0 or more")
    check_room(unit, count * len(pattern), index)
    section = unit.section
    if section.nobits:
        if any(pattern):
            raise Problem(
                f"section `{section.name}` can only hold zeros",
                hint="initialised data belongs into .data",
            )
        section.reserved += count * len(pattern)
        return
    if count:
        section.note(unit.place)
    section.data += pattern * count


def space(unit: Unit, args: Span) -> None:
    """.space COUNT [, BYTE] and .zero, .skip"""
    spans = _operands(args, 1, 2, "count, value")
    count = unit.evaluate(spans[0], 0, "a number of bytes")
    value = unit.evaluate(spans[1], 1, "a byte") if len(spans) > 1 else 0
    fill_bytes(unit, count, bytes([value & 0xFF]), 0)


def fill(unit: Unit, args: Span) -> None:
    """.fill REPEAT [, SIZE [, VALUE]]"""
    spans = _operands(args, 1, 3, "count, size, value")
    count = unit.evaluate(spans[0], 0, "a count")
    size = unit.evaluate(spans[1], 1, "a size") if len(spans) > 1 else 1
    value = unit.evaluate(spans[2], 2, "a value") if len(spans) > 2 else 0
    if size < 0:
        raise Problem(f"the size is {size}", operand=1, expected="0 to 8")
    size = min(size, 8)
    # Only four bytes of the value count; the others are zeros, as in GNU as.
    pattern = (value & (1 << 8 * min(size, 4)) - 1).to_bytes(size, "little")
    fill_bytes(unit, count, pattern, 0)


def align_to(power: bool, width: int = 0) -> Directive:
    """A handler for .align and .p2align (powers of two) or .balign (bytes).

    ``width`` is the size of the fill pattern, 0 for a byte or the section's own padding.
    """

    def handler(unit: Unit, args: Span) -> None:
        text = args.text.strip()
        if text.isdigit() and text.isascii() and text[0] != "0" and len(text) < 9:
            spans, amount = [], int(text)
        else:
            spans = _operands(args, 0, 3, "alignment, fill, limit")
            amount = unit.evaluate(spans[0], 0, "an alignment") if spans else 0
        if power:
            if not 0 <= amount <= _LARGEST_ALIGNMENT:
                raise Problem(
                    f"the alignment 2^{amount} is out of range",
                    operand=0,
                    expected=f"0 to {_LARGEST_ALIGNMENT}, the exponent of a power of two",
                    hint=".balign takes the alignment in bytes" if amount > 0 else "",
                )
            size = 1 << amount
        else:
            size = amount or 1
            if size < 1 or size & (size - 1) or size > 1 << _LARGEST_ALIGNMENT:
                raise Problem(
                    f"the alignment {amount} is not a power of two in range", operand=0,
                    expected=f"1, 2, 4, ... {1 << _LARGEST_ALIGNMENT} bytes",
                )  # fmt: skip
        pattern: bytes | None = None
        if len(spans) > 1 and spans[1].text.strip():
            value = unit.evaluate(spans[1], 1, "a fill value")
            pattern = (value & (1 << 8 * max(width, 1)) - 1).to_bytes(max(width, 1), "little")
        limit = 0
        if len(spans) > 2 and spans[2].text.strip():
            limit = unit.evaluate(spans[2], 2, "a limit")
        section = unit.section
        count = -section.size % size
        if limit and count > limit:
            return
        check_room(unit, count, 0)
        if section.nobits and pattern and any(pattern):
            raise Problem(f"section `{section.name}` can only hold zeros", operand=1)
        if pattern and count % len(pattern) and not section.nobits:
            raise Problem(
                f"{count} bytes of padding are no multiple of the {len(pattern)}-byte pattern",
                operand=1,
                hint="align to the size of the pattern first, or fill with single bytes",
            )
        section.append_padding(count, pattern)
        section.align = max(section.align, size)

    return handler


def origin(unit: Unit, args: Span) -> None:
    """.org OFFSET [, BYTE]: go forward to an offset in the section."""
    spans = _operands(args, 1, 2, "offset, fill")
    value = unit.bound(unit.parse(spans[0], 0), 0)
    section = unit.section
    if isinstance(value, Rel):
        target = anchored(value)
        if target.base is not section:
            raise Problem("`.org` cannot leave the section", operand=0)
        value = target.addend
    if not isinstance(value, int):
        raise Problem("this offset is not known here", operand=0)
    if value < section.size:
        raise Problem(
            f"`.org` cannot go back: the section is {section.size:#x} bytes long already",
            operand=0,
            expected=f"at least {section.size:#x}",
        )
    byte = unit.evaluate(spans[1], 1, "a byte") if len(spans) > 1 else 0
    fill_bytes(unit, value - section.size, bytes([byte & 0xFF]), 0)


def leb128(signed: bool) -> Directive:
    """A handler for .uleb128 or .sleb128: numbers of variable length, as DWARF uses them."""

    def handler(unit: Unit, args: Span) -> None:
        for index, span in enumerate(split_operands(args.text, args.start)):
            value = unit.evaluate(span, index)
            if not signed:
                value &= (1 << 64) - 1
            out = bytearray()
            while True:
                byte = value & 0x7F
                value >>= 7
                done = value == (-1 if signed and byte & 0x40 else 0)
                if done and (not signed or (byte & 0x40 == 0) == (value == 0)):
                    out.append(byte)
                    break
                out.append(byte | 0x80)
            unit.emit(bytes(out))

    return handler


def _operands(args: Span, least: int, most: int, form: str) -> list[Span]:
    """The operands, whose number must be in range."""
    spans = split_operands(args.text, args.start)
    if not least <= len(spans) <= most:
        raise Problem(
            "a value is missing here" if len(spans) < least else "there are too many values",
            operand=most if len(spans) > most else -1,
            expected=form,
        )
    return spans


DIRECTIVES: dict[str, Directive] = {
    ".byte": integers(1),
    ".half": integers(2, aligned=True),
    ".short": integers(2, aligned=True),
    ".hword": integers(2, aligned=True),
    ".2byte": integers(2),
    ".word": integers(4, aligned=True),
    ".long": integers(4, aligned=True),
    ".int": integers(4, aligned=True),
    ".4byte": integers(4),
    ".dword": integers(8, aligned=True),
    ".quad": integers(8, aligned=True),
    ".8byte": integers(8),
    ".ascii": strings(b""),
    ".asciz": strings(b"\0"),
    ".string": strings(b"\0"),
    ".string8": strings(b"\0"),
    ".space": space,
    ".zero": space,
    ".skip": space,
    ".fill": fill,
    ".align": align_to(True),
    ".p2align": align_to(True),
    ".p2alignw": align_to(True, 2),
    ".p2alignl": align_to(True, 4),
    ".balign": align_to(False),
    ".balignw": align_to(False, 2),
    ".balignl": align_to(False, 4),
    ".org": origin,
    ".uleb128": leb128(False),
    ".sleb128": leb128(True),
}
