"""Macros and repetitions: .macro, .rept, .irp, .irpc and their expansion as GNU as does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import altmacro
from .diagnostics import Problem, did_you_mean
from .expressions import parse
from .forms import FORMS
from .frames import MACRO, REPEAT, SPLIT
from .lexer import Span, parse_statement, skip_quoted, split_line

if TYPE_CHECKING:
    from .unit import Unit


@dataclass(frozen=True)
class Parameter:
    """A macro's formal parameter."""

    name: str
    default: str = ""
    required: bool = False
    vararg: bool = False


@dataclass(frozen=True)
class Macro:
    """A macro: parameters and body, with the line numbers of the body in its file."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[str, ...]
    numbers: tuple[int, ...]
    file: str


_NAME = re.compile(r"(?:[^\W\d]|[.$])[\w.$]*")
_SUBSTITUTION = re.compile(r"\\(?:(?P<at>@)|(?P<empty>\(\))|(?P<name>(?:[^\W\d]|[.$])[\w.$]*))")
_OPENERS = frozenset([".macro", ".rept", ".rep", ".irp", ".irpc", ".irep", ".irepc"])
_CLOSERS = frozenset([".endm", ".endr"])
_DIRECTIVE = re.compile(r"\.(?:macro|rept?|ire?pc?|endm|endr)\b", re.IGNORECASE)


def read_body(unit: Unit, opener: str, closer: str) -> tuple[list[str], list[int], str]:
    """The raw lines up to the matching .endm or .endr, their numbers and their file."""
    began = unit.place
    lines: list[str] = []
    numbers: list[int] = []
    file = unit.positions.frame(began).file
    depth: list[str] = []
    while True:
        line = unit.next_line()
        if line is None:
            unit.place = began
            raise Problem(
                f"`{opener}` is never closed", operand=None, hint=f"add {closer} behind its body"
            )
        if _DIRECTIVE.search(line):
            op = parse_statement(split_line(line)[0]).op
            word = op.text.lower() if op else ""
            if word in _OPENERS:
                depth.append(".endm" if word == ".macro" else ".endr")
            elif word in _CLOSERS:
                if not depth:
                    unit.place, began = began, unit.place
                    if word != closer:
                        raise Problem(
                            f"`{opener}` is closed by `{word}`",
                            operand=None,
                            hint=f"its body ends with {closer}",
                        )
                    return lines, numbers, file
                depth.pop()
        unit.expand(len(line) + 1)
        lines.append(line)
        frame = unit.positions.frame(unit.place)
        numbers.append(frame.numbers[unit.place - frame.base])


def define(unit: Unit, args: Span) -> None:
    """.macro NAME parameters"""
    place = unit.place
    found = _NAME.match(args.text)
    body, numbers, file = read_body(unit, ".macro", ".endm")
    unit.place = place
    if found is None:
        raise Problem("the macro needs a name", expected=".macro name parameters")
    name = found[0]
    parameters = _parameters(args.text[found.end() :])
    if name in unit.macros:
        raise Problem(
            f"the macro `{name}` is defined twice",
            hint=f".purgem {name} forgets the first one",
        )
    macro = Macro(name, parameters, tuple(body), tuple(numbers), file)
    unit.macros[name] = unit.macros_folded[name.lower()] = macro
    if name in FORMS:
        unit.choose_memo()


def _parameters(text: str) -> tuple[Parameter, ...]:
    """The formal parameters: name, name=default, name:req, name:vararg."""
    out: list[Parameter] = []
    at = 0
    text = text.strip()
    if text.startswith(","):
        text = text[1:].lstrip()
    while at < len(text):
        found = _NAME.match(text, at)
        if found is None:
            raise Problem(
                f"`{text[at : at + 20]}` is not a parameter name",
                expected=".macro name a, b=default, c:req, d:vararg",
            )
        name = found[0]
        if any(p.name == name for p in out):
            raise Problem(f"the parameter `{name}` occurs twice")
        at = found.end()
        required = vararg = False
        default = ""
        kind = re.compile(r"\s*:\s*(\w+)").match(text, at)
        if kind is not None:
            if kind[1] not in ("req", "vararg"):
                raise Problem(f"`:{kind[1]}` is not known", expected=":req or :vararg")
            required, vararg = kind[1] == "req", kind[1] == "vararg"
            at = kind.end()
        value = re.compile(r"\s*=\s*").match(text, at)
        if value is not None:
            default, at = _argument(text, value.end())
        out.append(Parameter(name, default, required, vararg))
        separator = re.compile(r"\s*,?\s*").match(text, at)
        assert separator is not None
        at = separator.end()
        if vararg and at < len(text):
            raise Problem(f"`{name}:vararg` must be the last parameter")
    return tuple(out)


def squeeze(text: str) -> str:
    """Remove the blanks that do not separate words: GNU as does this before it splits.

    A blank stays only between two characters of names or numbers; strings are untouched, and
    character constants become numbers.
    """
    out: list[str] = []
    at = 0
    pending = False
    while at < len(text):
        char = text[at]
        if char in " \t\r\f\v":
            pending = True
            at += 1
            continue
        if pending and out:
            last = out[-1][-1]
            if (_wordlike(last) or last in "\"'") and (_wordlike(char) or char in "\"'"):
                out.append(" ")
        pending = False
        if char in "\"'":
            end = skip_quoted(text, at)
            out.append(text[at:end] if char == '"' else _character(text[at:end]))
            at = end
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _wordlike(char: str) -> bool:
    return char.isalnum() or char in "_.$\\" or ord(char) > 127


def _character(text: str) -> str:
    """A character constant as a number, or unchanged if it is none."""
    try:
        value = parse(text)
    except Problem:
        return text
    return str(value)


def _argument(text: str, at: int) -> tuple[str, int]:
    """One actual argument from squeezed text: a string without its quotes, or up to a
    separator.  Returns it and the index behind it."""
    if at < len(text) and text[at] == '"':
        end = skip_quoted(text, at)
        closed = end - at > 1 and text[end - 1] == '"'
        return text[at + 1 : end - closed], end
    start = at
    depth = 0
    # Brackets hold blanks together, but not commas.
    while at < len(text) and text[at] != "," and (depth > 0 or text[at] not in " \t"):
        if text[at] == '"':
            at = skip_quoted(text, at)
            continue
        depth += (text[at] in "([") - (text[at] in ")]" and depth > 0)
        at += 1
    return text[start:at], at


def call(unit: Unit, macro: Macro, args: Span) -> None:
    """Expand a macro: bind the arguments and read the expanded body next."""
    values = _bind(unit, macro, args.text)
    number = str(unit.macro_count)
    unit.macro_count += 1
    body = altmacro.prepare(unit, macro.body, values) if unit.altmacro else macro.body
    lines = substitute(unit, body, values, number)
    unit.push_frame(
        unit.positions.new(MACRO, macro.name, macro.file, lines, macro.numbers, unit.place)
    )


def _actual(unit: Unit, text: str, at: int) -> tuple[str, int]:
    """One actual argument of a call, in the syntax that holds."""
    if unit.altmacro and at < len(text):
        special = altmacro.argument(unit, text, at)
        if special is not None:
            return special
    return _argument(text, at)


def set_alternate(on: bool):
    """A handler for .altmacro and .noaltmacro."""

    def handler(unit: Unit, args: Span) -> None:
        unit.altmacro = on

    return handler


def _bind(unit: Unit, macro: Macro, text: str) -> dict[str, str]:
    """Actual arguments by parameter name; Problem if they do not fit."""
    given: dict[str, str] = {}
    text = squeeze(text)
    names = {p.name for p in macro.parameters}
    at = position = 0
    while at < len(text):
        keyword = re.compile(r"((?:[^\W\d]|[.$])[\w.$]*)=(?!=)").match(text, at)
        if keyword is not None and keyword[1] in names:
            value, at = _actual(unit, text, keyword.end())
            given[keyword[1]] = value
        elif position < len(macro.parameters) and macro.parameters[position].vararg:
            given[macro.parameters[position].name] = text[at:]
            position += 1
            break
        else:
            if position >= len(macro.parameters):
                wanted = len(macro.parameters)
                raise Problem(
                    f"the macro `{macro.name}` takes {wanted or 'no'} "
                    f"argument{'' if wanted == 1 else 's'}",
                    expected=" ".join(p.name for p in macro.parameters),
                    hint='put an argument with blanks or commas into quotes: "a, b"',
                )
            value, at = _actual(unit, text, at)
            given[macro.parameters[position].name] = value
            position += 1
        if at < len(text) and text[at] in ", ":
            at += 1
    out: dict[str, str] = {}
    for parameter in macro.parameters:
        value = given.get(parameter.name, "")
        if not value:
            if parameter.required:
                raise Problem(
                    f"the macro `{macro.name}` needs a value for `{parameter.name}`",
                    expected=" ".join(p.name for p in macro.parameters),
                )
            value = parameter.default
        out[parameter.name] = value
    return out


def substitute(
    unit: Unit, body: tuple[str, ...] | list[str], values: dict[str, str], number: str | None
) -> list[str]:
    """The body with ``\\name``, ``\\()`` and ``\\@`` replaced; bounded in size."""

    def replace(found: re.Match[str]) -> str:
        if found["at"]:
            return number if number is not None else found[0]
        if found["empty"]:
            return ""
        name = found["name"]
        if name in values:
            return values[name]
        # The longest parameter that begins the word: "\a.b" may be \a followed by ".b".
        cut = len(name)
        while (cut := name.rfind(".", 0, cut)) > 0:
            if name[:cut] in values:
                return values[name[:cut]] + name[cut:]
        return found[0]

    out: list[str] = []
    for line in body:
        if "\\" in line:
            line = _SUBSTITUTION.sub(replace, line)
            if len(line) > unit.limits.line_bytes:
                raise Problem("an expanded line is too long", operand=None, fatal=True)
        unit.expand(len(line) + 1)
        out.append(line)
    return out


def leave(unit: Unit, args: Span) -> None:
    """.exitm: go back to the caller of the innermost macro."""
    while unit.frames:
        frame = unit.frames.pop()
        if frame.kind != SPLIT:
            del unit.conditions[frame.conditions :]
            unit.update_skipping()
        if frame.kind in (MACRO, REPEAT):
            return
        if frame.kind != SPLIT:
            unit.frames.append(frame)
            break
    raise Problem("`.exitm` is outside a macro", operand=None)


def purge(unit: Unit, args: Span) -> None:
    """.purgem NAME"""
    for name in re.split(r"[\s,]+", args.text.strip()):
        if name not in unit.macros:
            raise Problem(
                f"there is no macro `{name}`", operand=-2, hint=did_you_mean(name, unit.macros)
            )
        del unit.macros[name]
        unit.macros_folded.pop(name.lower(), None)
        if name in FORMS:
            unit.choose_memo()


def repeat(unit: Unit, args: Span) -> None:
    """.rept COUNT"""
    place = unit.place
    body, numbers, file = read_body(unit, ".rept", ".endr")
    unit.place = place
    count = unit.evaluate(args, -2, "a number of repetitions")
    if count < 0:
        raise Problem(f"the number of repetitions is {count}", operand=-2, expected="0 or more")
    unit.count(len(body))
    if count == 0 or not body:
        return
    frame = unit.positions.new(REPEAT, f".rept {count}", file, body, numbers, place)
    frame.repeats = count - 1
    frame.characters = sum(map(len, body)) + len(body)
    unit.push_frame(frame)


def repeat_over(unit: Unit, args: Span) -> None:
    """.irp NAME, value, value ..."""
    _repeat_with(unit, args, ".irp")


def repeat_over_characters(unit: Unit, args: Span) -> None:
    """.irpc NAME, characters"""
    _repeat_with(unit, args, ".irpc")


def _repeat_with(unit: Unit, args: Span, directive: str) -> None:
    place = unit.place
    body, numbers, file = read_body(unit, directive, ".endr")
    unit.place = place
    found = _NAME.match(args.text)
    if found is None:
        raise Problem("a name is missing here", expected=f"{directive} name, values")
    rest = args.text[found.end() :].lstrip()
    rest = squeeze(rest[1:] if rest.startswith(",") else rest)
    values: list[str] = []
    if directive == ".irpc":
        text = _argument(rest, 0)[0] if rest.startswith('"') else rest.replace(" ", "")
        values = list(text) or [""]
    else:
        at = 0
        while at < len(rest):
            value, at = _argument(rest, at)
            values.append(value)
            if at < len(rest):
                at += 1
                if at == len(rest) and rest[at - 1] == ",":
                    values.append("")
        values = values or [""]
    lines: list[str] = []
    for value in values:
        lines += substitute(unit, body, {found[0]: value}, None)
        unit.count(1)
    if lines:
        unit.push_frame(
            unit.positions.new(REPEAT, directive, file, lines, list(numbers) * len(values), place)
        )


def stray_end(name: str):
    """A handler for .endm or .endr that closes nothing."""

    def handler(unit: Unit, args: Span) -> None:
        raise Problem(f"`{name}` closes nothing", operand=None)

    return handler
