"""Directives for wide and floating-point numbers, wide characters, and old names of data."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem
from ..lexer import Span, parse_string, split_operands
from ..sections import NOP
from ..source import encode
from .data import fill_bytes, integers

if TYPE_CHECKING:
    from ..unit import Unit

Directive = Callable[["Unit", Span], None]

_FLOAT = re.compile(
    r"[ \t]*(?:0[dDeEfFrRsS])?([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?(?:inf(?:inity)?|nan))[ \t]*$",
    re.IGNORECASE,
)
_FLOAT_LENGTH = 200
_FORMATS = {2: "<e", 4: "<f", 8: "<d"}
# GNU as writes these, with every bit of the fraction set.
_NANS = {2: b"\xff\x7f", 4: b"\xff\xff\xff\x7f", 8: b"\xff\xff\xff\xff\xff\xff\xff\x7f"}


def float_bytes(span: Span, index: int, size: int) -> bytes:
    """An IEEE 754 number of 2, 4 or 8 bytes; Problem if it is none or too large."""
    found = _FLOAT.match(span.text) if len(span.text) <= _FLOAT_LENGTH else None
    if found is None:
        raise Problem(
            f"`{span.text.strip()[:40]}` is not a floating-point number",
            operand=index,
            expected="for instance 1.5, -2e10, inf or nan",
        )
    value = float(found[1])
    if math.isnan(value):
        code = _NANS[size]
        return code[:-1] + b"\xff" if found[1][0] == "-" else code
    try:
        code = struct.pack(_FORMATS[size], value)
    except OverflowError:
        code = b""
    written = found[1].lower()
    if not code or (math.isinf(value) and "inf" not in written):
        raise Problem(f"{found[1]} does not fit in {size} bytes", operand=index)
    return code


def floats(size: int) -> Directive:
    """A handler for .float16, .float or .double."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        unit.emit(b"".join(float_bytes(s, i, size) for i, s in enumerate(spans)))

    return handler


def octa(unit: Unit, args: Span) -> None:
    """.octa: numbers of 16 bytes."""
    out = b""
    for index, span in enumerate(split_operands(args.text, args.start)):
        text = span.text.strip()
        if re.fullmatch(r"-?(?:0[xX][0-9a-fA-F]{1,40}|[0-9]{1,40})", text):
            digits = text.lstrip("-")
            octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
            try:
                value = int(digits, 8 if octal else 0)
            except ValueError:
                raise Problem(f"`{text}` is not an octal number", operand=index) from None
            value = -value if text[0] == "-" else value
        else:
            value = unit.evaluate(span, index)
        if not -(1 << 127) <= value < 1 << 128:
            raise Problem(f"{text} does not fit in 16 bytes", operand=index)
        out += (value & (1 << 128) - 1).to_bytes(16, "little")
    unit.emit(out)


def wide(size: int) -> Directive:
    """A handler for .string16, .string32 or .string64: every byte as a number of that size."""

    def handler(unit: Unit, args: Span) -> None:
        out = bytearray()
        for index, span in enumerate(split_operands(args.text, args.start)):
            try:
                data = parse_string(span.text, encode) + b"\0"
            except Problem as problem:
                problem.operand, problem.span = index, None
                raise
            for byte in data:
                out += byte.to_bytes(size, "little")
        unit.emit(bytes(out))

    return handler


def repeated(size: int, real: bool = False) -> Directive:
    """A handler for .dcb: COUNT numbers of ``size`` bytes."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        if len(spans) != 2:
            raise Problem("a count and a value are needed here", expected="count, value")
        count = unit.evaluate(spans[0], 0, "a count")
        if real:
            pattern = float_bytes(spans[1], 1, size)
        else:
            value = unit.evaluate(spans[1], 1, "a value")
            pattern = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        fill_bytes(unit, count, pattern, 0)

    return handler


def reserved(size: int) -> Directive:
    """A handler for .ds: COUNT numbers of ``size`` bytes, all zero."""

    def handler(unit: Unit, args: Span) -> None:
        spans = split_operands(args.text, args.start)
        if not 1 <= len(spans) <= 2:
            raise Problem("a count is needed here", expected="count")
        byte = unit.evaluate(spans[1], 1, "a byte") & 0xFF if len(spans) > 1 else 0
        fill_bytes(unit, unit.evaluate(spans[0], 0, "a count") * size, bytes([byte]), 0)

    return handler


def nops(unit: Unit, args: Span) -> None:
    """.nops SIZE: SIZE bytes of instructions that do nothing."""
    spans = split_operands(args.text, args.start)
    if not 1 <= len(spans) <= 2:
        raise Problem("a number of bytes is needed here", expected="size")
    count = unit.evaluate(spans[0], 0, "a number of bytes")
    if count % 4:
        raise Problem(
            f"{count} bytes are not a number of instructions", operand=0, expected="a multiple of 4"
        )
    fill_bytes(unit, count // 4, NOP, 0)


DIRECTIVES: dict[str, Directive] = {
    ".octa": octa,
    ".float16": floats(2),
    ".float": floats(4),
    ".single": floats(4),
    ".double": floats(8),
    ".string16": wide(2),
    ".string32": wide(4),
    ".string64": wide(8),
    ".dc": integers(2),
    ".dc.b": integers(1),
    ".dc.w": integers(2),
    ".dc.l": integers(4),
    ".dc.a": integers(4),
    ".dc.s": floats(4),
    ".dc.d": floats(8),
    ".dcb": repeated(2),
    ".dcb.b": repeated(1),
    ".dcb.w": repeated(2),
    ".dcb.l": repeated(4),
    ".dcb.s": repeated(4, real=True),
    ".dcb.d": repeated(8, real=True),
    ".ds": reserved(2),
    ".ds.b": reserved(1),
    ".ds.w": reserved(2),
    ".ds.l": reserved(4),
    ".ds.s": reserved(4),
    ".ds.d": reserved(8),
    ".ds.p": reserved(12),
    ".ds.x": reserved(12),
    ".nops": nops,
}
