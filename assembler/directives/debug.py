"""Directives for debuggers: .file, .loc and .cfi_*, checked as GNU as checks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from toyvm.isa.registers import NUMBERS

from ..debuginfo import OMITTED, CfiFrame, CfiOp, DebugFile, Location
from ..diagnostics import Problem, did_you_mean
from ..encode import CSR_NUMBERS
from ..lexer import Span, parse_string, skip_quoted, split_operands
from ..source import decode, encode
from ..values import LABEL, UNDEFINED
from .symbols import name_of

if TYPE_CHECKING:
    from ..unit import Unit

_RECORDS = 200_000
_FLOATS = {
    **{f"f{n}": n for n in range(32)},
    **{f"ft{n}": n for n in range(8)},
    **{f"fs{n}": n + 8 for n in range(2)},
    **{f"fa{n}": n + 10 for n in range(8)},
    **{f"fs{n}": n + 16 for n in range(2, 12)},
    **{f"ft{n}": n + 20 for n in range(8, 12)},
}
# The DWARF numbers of CSRs begin here (RISC-V ABIs specification, DWARF register numbers).
_CSR_COLUMNS = 4096
# Pointer encodings that GNU as takes: absolute or pc-relative, of 4 or 8 bytes, direct or not.
_ENCODINGS = frozenset(
    base | form | indirect
    for base in (0x00, 0x10)
    for form in (0x00, 0x02, 0x03, 0x04, 0x0A, 0x0B, 0x0C)
    for indirect in (0x00, 0x80)
)


def words(args: Span) -> list[Span]:
    """The operands of .file and .loc, which blanks separate."""
    out: list[Span] = []
    at, text = 0, args.text
    while at < len(text):
        if text[at] in " \t\r\f\v":
            at += 1
            continue
        end = at
        while end < len(text) and text[end] not in " \t\r\f\v":
            end = skip_quoted(text, end) if text[end] == '"' else end + 1
        out.append(Span(text[at:end], args.start + at))
        at = end
    return out


def _string(span: Span) -> str:
    try:
        return decode(parse_string(span.text, encode))
    except Problem as problem:
        problem.operand = -2
        problem.span = None
        raise


def file(unit: Unit, args: Span) -> None:
    """.file "name" or .file NUMBER ["directory"] "name" [md5 VALUE]"""
    parts = words(args)
    form = '.file "name" or .file number "name"'
    if not parts:
        raise Problem("a file name is missing here", expected=form)
    if parts[0].text.startswith('"'):
        if len(parts) > 1:
            raise Problem("there is something behind the file name", operand=-2, expected=form)
        unit.debug.source_name = _string(parts[0])
        return
    number = unit.evaluate(parts[0], -2, "a file number")
    if not 0 <= number < 1 << 20:
        raise Problem(f"the file number {number} is out of range", operand=-2, expected="1 or more")
    md5 = -1
    if len(parts) > 3 and parts[-2].text == "md5":
        if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,32}", parts[-1].text):
            raise Problem(
                "the MD5 value must be a number of 128 bits", operand=-2,
                expected="0x and up to 32 hexadecimal digits",
            )  # fmt: skip
        md5 = int(parts[-1].text, 16)
        parts = parts[:-2]
    if not 2 <= len(parts) <= 3:
        raise Problem("a file name is missing here", operand=-2, expected=form)
    names = [_string(p) for p in parts[1:]]
    entry = DebugFile(names[-1], names[0] if len(names) > 1 else "", md5)
    known = unit.debug.files.get(number)
    if known is not None and (known.name, known.directory) != (entry.name, entry.directory):
        raise Problem(
            f"file number {number} is `{known.name}` already",
            operand=-2,
            hint="give every file a number of its own",
        )
    if len(unit.debug.files) >= _RECORDS:
        raise Problem("there are too many files", operand=None, fatal=True)
    unit.debug.files[number] = entry


def _flag(unit: Unit, parts: list[Span], word: str) -> int:
    if not parts:
        raise Problem(f"`{word}` needs a value", operand=-2)
    value = unit.evaluate(parts.pop(0), -2, "a number")
    if value < 0:
        raise Problem(f"`{word}` {value} is less than zero", operand=-2, expected="0 or more")
    return value


_LOC_WORDS = (
    "basic_block", "prologue_end", "epilogue_begin", "is_stmt", "isa", "discriminator", "view",
)  # fmt: skip


def loc(unit: Unit, args: Span) -> None:
    """.loc FILE LINE [COLUMN] [options]"""
    parts = words(args)
    form = ".loc file line [column] [is_stmt 0|1] [prologue_end] ..."
    if len(parts) < 2:
        raise Problem("a file number and a line are needed here", expected=form)
    number = unit.evaluate(parts.pop(0), -2, "a file number")
    if number not in unit.debug.files:
        raise Problem(
            f"file number {number} is not known",
            operand=-2,
            hint=f'put .file {number} "name" above this line',
        )
    line = unit.evaluate(parts.pop(0), -2, "a line number")
    column = 0
    if parts and not parts[0].text[0].isalpha():
        column = unit.evaluate(parts.pop(0), -2, "a column")
    if line < 0 or column < 0 or line >= 1 << 31 or column >= 1 << 31:
        raise Problem("this place is out of range", operand=-2, expected="0 or more")
    debug = unit.debug
    flags = dict.fromkeys(("basic_block", "prologue_end", "epilogue_begin"), False)
    discriminator = 0
    while parts:
        word = parts.pop(0).text
        if word in flags:
            flags[word] = True
        elif word == "is_stmt":
            value = _flag(unit, parts, word)
            if value > 1:
                raise Problem(f"`is_stmt` is {value}", operand=-2, expected="0 or 1")
            debug.is_stmt = bool(value)
        elif word == "isa":
            debug.isa = _flag(unit, parts, word)
        elif word == "discriminator":
            discriminator = _flag(unit, parts, word)
        elif word == "view":
            # Views number the rows of one address; a debugger can do without.
            if parts and not parts.pop(0).text.lstrip("-")[:1].isalpha():
                continue
        else:
            raise Problem(
                f"`{word}` is not an option of `.loc`", operand=-2,
                expected=", ".join(_LOC_WORDS), hint=did_you_mean(word, _LOC_WORDS),
            )  # fmt: skip
    if len(debug.locations) >= _RECORDS * 5:
        raise Problem("there are too many locations", operand=None, fatal=True)
    debug.locations.append(
        Location(
            unit.section, unit.section.size, number, line, column, debug.is_stmt,
            flags["basic_block"], flags["prologue_end"], flags["epilogue_begin"], debug.isa,
            discriminator,
        )
    )  # fmt: skip


def register(unit: Unit, span: Span, index: int) -> int:
    """The DWARF number of a register given by name or number."""
    name = span.text.strip()
    number = NUMBERS.get(name)
    if number is not None:
        return number
    if name in _FLOATS:
        return 32 + _FLOATS[name]
    if name in CSR_NUMBERS:
        return _CSR_COLUMNS + CSR_NUMBERS[name]
    if name and not name[0].isdigit() and not unit.is_defined(name):
        raise Problem(
            f"`{name}` is not a register", operand=index,
            expected="a register such as sp or ra, or its DWARF number",
            hint=did_you_mean(name, NUMBERS),
        )  # fmt: skip
    value = unit.evaluate(span, index, "a register number")
    if value < 0:
        raise Problem(f"the register number {value} is out of range", operand=index)
    return value


def _opened(unit: Unit, name: str) -> CfiFrame:
    frame = unit.debug.open_frame
    if frame is None:
        raise Problem(
            f"`{name}` stands outside a function", operand=None,
            hint="put .cfi_startproc before the function and .cfi_endproc behind it",
        )  # fmt: skip
    return frame


def rule(name: str, kinds: str, multiple: bool = False) -> Callable[[Unit, Span], None]:
    """A handler for .cfi_NAME whose operands are registers (r) and offsets in bytes (o).

    A trailing ``*`` repeats the kind before it; ``multiple`` wants multiples of 4.
    """
    shown = {"r": "register", "o": "offset"}

    def handler(unit: Unit, args: Span) -> None:
        directive = f".cfi_{name}"
        frame = _opened(unit, directive)
        spans = split_operands(args.text, args.start)
        wanted = kinds.rstrip("*")
        if kinds.endswith("*"):
            wanted += wanted[-1] * max(0, len(spans) - len(wanted))
        if len(spans) != len(wanted):
            raise Problem(
                f"`{directive}` takes {len(wanted)} operand{'s' * (len(wanted) != 1)}, "
                f"not {len(spans)}",
                operand=len(wanted) if len(spans) > len(wanted) else -1,
                expected=", ".join(shown[k] for k in wanted),
            )
        values = tuple(
            register(unit, s, i) if k == "r" else unit.evaluate(s, i, "a number")
            for i, (k, s) in enumerate(zip(wanted, spans, strict=True))
        )
        if multiple and values[-1] % 4:
            raise Problem(
                f"the offset {values[-1]} is not a multiple of 4", operand=len(values) - 1,
                hint="registers are saved at addresses that are multiples of 4",
            )  # fmt: skip
        if name == "restore_state":
            if frame.depth == 0:
                raise Problem(
                    "there is no state to restore", operand=None,
                    hint="`.cfi_remember_state` saves one",
                )  # fmt: skip
            frame.depth -= 1
        elif name == "remember_state":
            frame.depth += 1
        elif name == "return_column":
            frame.return_column = values[0]
            return
        elif name == "signal_frame":
            frame.signal = True
            return
        if len(frame.ops) >= _RECORDS:
            raise Problem("there are too many rules", operand=None, fatal=True)
        if name in ("restore", "undefined", "same_value"):
            frame.ops += [CfiOp(unit.section.size, name, (value,)) for value in values]
        else:
            frame.ops.append(CfiOp(unit.section.size, name, values))

    return handler


def escape(unit: Unit, args: Span) -> None:
    """.cfi_escape BYTE, ...: instructions of the unwinder as they are."""
    frame = _opened(unit, ".cfi_escape")
    spans = split_operands(args.text, args.start)
    values = tuple(unit.evaluate(s, i, "a byte") & 0xFF for i, s in enumerate(spans))
    frame.ops.append(CfiOp(unit.section.size, "escape", values))


def start(unit: Unit, args: Span) -> None:
    """.cfi_startproc [simple]"""
    if unit.debug.open_frame is not None:
        raise Problem(
            "the function before this one is still open", operand=None,
            hint="`.cfi_endproc` is missing",
        )  # fmt: skip
    word = args.text.strip()
    if word not in ("", "simple"):
        raise Problem(f"`{word}` does not belong here", operand=-2, expected="nothing, or simple")
    if len(unit.debug.frames) >= _RECORDS:
        raise Problem("there are too many functions", operand=None, fatal=True)
    frame = CfiFrame(unit.section, unit.section.size, unit.place, simple=bool(word))
    unit.debug.open_frame = frame
    unit.debug.frames.append(frame)


def finish(unit: Unit, args: Span) -> None:
    """.cfi_endproc"""
    frame = unit.debug.open_frame
    if frame is None:
        raise Problem("`.cfi_endproc` has no `.cfi_startproc`", operand=None)
    if args.text.strip():
        raise Problem("`.cfi_endproc` takes no operands", operand=-2)
    if unit.section is not frame.section:
        raise Problem(
            f"the function began in section `{frame.section.name}`", operand=None,
            hint="end it there",
        )  # fmt: skip
    frame.end = unit.section.size
    unit.debug.open_frame = None


def check_end(unit: Unit) -> None:
    """At the end of the source no function may be open."""
    frame = unit.debug.open_frame
    if frame is not None:
        unit.error_at(frame.place, "this function is never closed", hint="add .cfi_endproc")


def pointer(name: str) -> Callable[[Unit, Span], None]:
    """A handler for .cfi_personality and .cfi_lsda: ENCODING [, VALUE]"""

    def handler(unit: Unit, args: Span) -> None:
        frame = _opened(unit, f".cfi_{name}")
        spans = split_operands(args.text, args.start)
        if not spans:
            raise Problem("an encoding is missing here", expected="encoding, symbol")
        encoding = unit.evaluate(spans[0], 0, "a pointer encoding")
        if encoding == OMITTED and len(spans) == 1:
            setattr(frame, name, (OMITTED, 0))
            return
        if encoding not in _ENCODINGS:
            raise Problem(
                f"the pointer encoding {encoding:#x} is not supported", operand=0,
                expected="for instance 0, 0x1b or 0x9b; 0xff for none",
            )  # fmt: skip
        if len(spans) != 2:
            raise Problem("a symbol is missing here", expected="encoding, symbol")
        setattr(frame, name, (encoding, unit.bound(unit.parse(spans[1], 1), 1)))

    return handler


def label(unit: Unit, args: Span) -> None:
    """.cfi_label NAME: a label inside the unwinding table, in front of the next rule."""
    frame = _opened(unit, ".cfi_label")
    name = name_of(args, -2)
    if len(frame.ops) >= _RECORDS:
        raise Problem("there are too many rules", operand=None, fatal=True)
    symbol = unit.symbols.get(name) or unit.new_symbol(name)
    if symbol.state != UNDEFINED:
        raise unit.duplicate(symbol)
    # The writer of the table says where it is.
    symbol.state, symbol.defined_at = LABEL, unit.place
    frame.ops.append(CfiOp(unit.section.size, "label", (), symbol))


def cfi_sections(unit: Unit, args: Span) -> None:
    """.cfi_sections .eh_frame, .debug_frame"""
    names = [s.text.strip() for s in split_operands(args.text)]
    for index, name in enumerate(names):
        if name not in (".eh_frame", ".debug_frame"):
            raise Problem(
                f"`{name}` holds no unwinding tables", operand=index,
                expected=".eh_frame or .debug_frame",
            )  # fmt: skip
    unit.debug.eh_frame = ".eh_frame" in names
    unit.debug.debug_frame = ".debug_frame" in names


def mark_labels(unit: Unit, args: Span) -> None:
    """.loc_mark_labels 0|1: accepted; rows begin at every location anyway."""
    value = unit.evaluate(args, -2, "0 or 1") if args.text.strip() else 0
    if value not in (0, 1):
        raise Problem(f"the value is {value}", operand=-2, expected="0 or 1")


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {
    ".file": file,
    ".loc": loc,
    ".loc_mark_labels": mark_labels,
    ".cfi_startproc": start,
    ".cfi_endproc": finish,
    ".cfi_sections": cfi_sections,
    ".cfi_personality": pointer("personality"),
    ".cfi_lsda": pointer("lsda"),
    ".cfi_escape": escape,
    ".cfi_label": label,
    ".cfi_def_cfa": rule("def_cfa", "ro"),
    ".cfi_def_cfa_register": rule("def_cfa_register", "r"),
    ".cfi_def_cfa_offset": rule("def_cfa_offset", "o"),
    ".cfi_adjust_cfa_offset": rule("adjust_cfa_offset", "o"),
    ".cfi_offset": rule("offset", "ro", multiple=True),
    ".cfi_rel_offset": rule("rel_offset", "ro", multiple=True),
    ".cfi_val_offset": rule("val_offset", "ro", multiple=True),
    ".cfi_register": rule("register", "rr"),
    ".cfi_restore": rule("restore", "r*"),
    ".cfi_undefined": rule("undefined", "r*"),
    ".cfi_same_value": rule("same_value", "r*"),
    ".cfi_remember_state": rule("remember_state", ""),
    ".cfi_restore_state": rule("restore_state", ""),
    ".cfi_return_column": rule("return_column", "r"),
    ".cfi_signal_frame": rule("signal_frame", ""),
    ".cfi_window_save": rule("window_save", ""),
}
