"""Directives that read files, say something, set options, or concern debuggers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem
from ..frames import INCLUDE
from ..lexer import Span, parse_string, split_operands
from ..source import decode, encode

if TYPE_CHECKING:
    from ..unit import Unit


def _file_name(span: Span) -> str:
    text = span.text.strip()
    if not text.startswith('"'):
        raise Problem("the file name must be in quotes", operand=0, expected='"name"')
    try:
        return decode(parse_string(text, encode))
    except Problem as problem:
        problem.operand = 0
        raise


def include(unit: Unit, args: Span) -> None:
    """.include "file": read its lines here."""
    name = _file_name(args)
    frame = unit.positions.frame(unit.place)
    path = unit.files.find(name, frame.file)
    depth = sum(1 for f in unit.frames if f.kind == INCLUDE)
    if depth >= unit.limits.include_depth:
        raise Problem(
            f"files are included deeper than {unit.limits.include_depth} levels",
            operand=0,
            hint="a file that includes itself needs an .ifndef around its content",
            fatal=True,
        )
    text = unit.files.read_text(path)
    unit.expand(len(text))
    unit.push_file(INCLUDE, str(path), text, unit.place)


def incbin(unit: Unit, args: Span) -> None:
    """.incbin "file" [, skip [, count]]: the bytes of a file."""
    spans = split_operands(args.text, args.start)
    if not 1 <= len(spans) <= 3:
        raise Problem("a file name is needed here", expected='"name", skip, count')
    name = _file_name(spans[0])
    skip = 0
    if len(spans) > 1 and spans[1].text.strip():
        skip = unit.evaluate(spans[1], 1, "a number of bytes")
    count = unit.evaluate(spans[2], 2, "a number of bytes") if len(spans) > 2 else None
    if skip < 0 or (count is not None and count < 0):
        raise Problem("skip and count cannot be negative", operand=1 if skip < 0 else 2)
    frame = unit.positions.frame(unit.place)
    path = unit.files.find(name, frame.file)
    data = unit.files.read_bytes(path, skip, count)
    if count is not None and len(data) < count:
        raise Problem(f"`{path}` has only {len(data)} bytes there", operand=2)
    unit.emit(data)


def _message(args: Span, default: str) -> str:
    text = args.text.strip()
    if not text:
        return default
    try:
        return decode(parse_string(text, encode)) or '""'
    except Problem as problem:
        problem.operand = 0
        raise


def error(unit: Unit, args: Span) -> None:
    """.error "text" and .err: a mistake that the source itself finds."""
    raise Problem(_message(args, ".error directive invoked in source file"), operand=None)


def fail(unit: Unit, args: Span) -> None:
    """.fail VALUE: an error for values below 500, else a warning."""
    value = unit.evaluate(args, -2)
    if value < 500:
        raise Problem(f".fail {value} encountered", operand=None)
    unit.warn("user", f".fail {value} encountered")


def warning(unit: Unit, args: Span) -> None:
    """.warning "text" """
    unit.warn("user", _message(args, ".warning directive invoked in source file"))


def show(unit: Unit, args: Span) -> None:
    """.print "text": a note in the diagnostics."""
    if not args.text.strip():
        raise Problem("a text is missing here", operand=None, expected='.print "text"')
    unit.report(Problem(_message(args, ""), operand=None), "note")


def end(unit: Unit, args: Span) -> None:
    """.end: nothing behind it is read."""
    unit.ended = True
    for frame in unit.frames:
        frame.index = len(frame.lines)
        frame.repeats = 0
    unit.conditions.clear()
    unit.update_skipping()


def abort(unit: Unit, args: Span) -> None:
    """.abort: stop here."""
    raise Problem("`.abort` stops the assembly", operand=None, fatal=True)


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {
    ".include": include,
    ".incbin": incbin,
    ".error": error,
    ".err": error,
    ".fail": fail,
    ".warning": warning,
    ".print": show,
    ".end": end,
    ".abort": abort,
}
