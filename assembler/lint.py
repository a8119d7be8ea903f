"""Warnings about what the finished code of a unit does: found in its machine code.

The pass runs once, over the statements that made content; only what looks suspicious is
taken apart again.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from toyvm.isa.op import Op
from toyvm.isa.table import BY_OP

from .frames import FILE, MACRO, REPEAT
from .lexer import parse_statement, split_line
from .sections import SHF_ALLOC, Section
from .values import COMMON, LABEL, LOCAL_BINDING

if TYPE_CHECKING:
    from .unit import Unit

_OPCODE = 0x7F
_RD = 0x1F << 7
_JAL = BY_OP[Op.JAL].match
_JALR = BY_OP[Op.JALR].match
_RETURNS = frozenset([BY_OP[Op.MRET].match, BY_OP[Op.SRET].match])
_ENDS = frozenset([BY_OP[Op.ECALL].match, BY_OP[Op.EBREAK].match])
# Instructions that only compute: their opcodes, and addi to x0 from x0, which is a hint.
_COMPUTE = frozenset(BY_OP[op].match & _OPCODE for op in (Op.ADDI, Op.ADD, Op.LUI, Op.AUIPC))
_HINT_MASK, _HINT = 0xFFFFF, BY_OP[Op.ADDI].match
# addi sp, sp, imm
_MOVE_SP = BY_OP[Op.ADDI].match | 2 << 7 | 2 << 15
_ENTRIES = frozenset(["_start", "main"])


def lint(unit: Unit) -> None:
    """Report everything suspicious in a unit that was assembled without errors.

    What a compiler wrote is not for people to change.
    """
    if unit.compiled:
        return
    if not any(s.size for s in unit.sections.values()) and not any(
        s.binding != LOCAL_BINDING or s.state == COMMON for s in unit.symbols.values()
    ):
        nothing = not any(line.strip() for line in unit.texts[0].split("\n"))
        unit.diagnose(
            unit.positions.frames[0].base, "warning",
            "this source makes no code, no data and no symbol for others", 0, 0,
            hint="the file has no text: is it saved?" if nothing else "",
            name="empty-source",
        )  # fmt: skip
    enabled = unit.reporter.warnings_on.enabled
    for section in unit.sections.values():
        if section.code and section.flags & SHF_ALLOC and section.data:
            _code(unit, section)
    if "unused-label" in enabled:
        _unused(unit)


def _code(unit: Unit, section: Section) -> None:
    data = section.data
    whole = len(data) & ~3
    words = memoryview(bytes(data[:whole])).cast("I") if whole else None
    if words is None:
        return
    labels = section.label_offsets
    plain = frozenset(section.data_rows)
    offsets = section.row_offsets
    places = section.row_places
    ended = fell = -1
    for row, (offset, place) in enumerate(zip(offsets, places, strict=True)):
        if row in plain:
            if fell == offset and not _labelled(labels, offset):
                _warn(
                    unit, place, "data-in-code",
                    "the instruction before this data runs into it",
                    "jump over it, put it into .rodata, or use `.insn` for an instruction",
                )  # fmt: skip
            ended = fell = -1
            continue
        if offset & 3 or offset >= whole:
            ended = fell = -1
            continue
        word = words[offset >> 2]
        # A jump behind a jump is a table of them; what a macro makes may be meant for others.
        if (
            offset == ended
            and word & (_OPCODE | _RD) != _JAL
            and not _labelled(labels, offset)
            and unit.positions.frame(place).kind not in (MACRO, REPEAT)
        ):
            _warn(
                unit, place, "unreachable", "this instruction is never reached",
                "the one before it always jumps; a label is missing, or the line can go",
            )  # fmt: skip
        opcode = word & _OPCODE
        ended, fell = -1, offset + 4
        if opcode in _COMPUTE:
            if word & _RD == 0:
                if word & _HINT_MASK != _HINT and _mnemonic(unit, place) != ".insn":
                    _warn(
                        unit, place, "write-x0", "the result goes to x0, which is always 0",
                        "name a register that keeps the result; `nop` does nothing",
                    )  # fmt: skip
            elif word & 0xFFFFF == _MOVE_SP:
                _stack(unit, place, (word >> 20) - (word >> 31 << 12))
            if opcode == 0x17 or opcode == 0x37:
                # A pair (la, call, tail, li): what counts is the end of it.
                fell = -1
                ended = _end_of_tail(words, offset, place, unit)
        elif opcode in (_JAL, _JALR) or word in _RETURNS:
            if word in _RETURNS or word & _RD == 0:
                ended, fell = offset + 4, -1
        elif word in _ENDS:
            # What an ecall does is not known here: it may end the program.
            fell = -1


def _end_of_tail(words, offset: int, place: int, unit: Unit) -> int:
    """The end of a ``tail`` or ``jump`` pair that begins here; -1 if it is none."""
    at = (offset >> 2) + 1
    if at < len(words):
        second = words[at]
        if second & _OPCODE == _JALR and second & _RD == 0:
            word = _mnemonic(unit, place)
            if word in ("tail", "jump"):
                return offset + 8
    return -1


def _labelled(labels, offset: int) -> bool:
    """Whether a label stands at the offset; labels come in rising order."""
    i = bisect_left(labels, offset)
    return i < len(labels) and labels[i] == offset


def _mnemonic(unit: Unit, place: int) -> str:
    pieces = split_line(unit.positions.text(place))
    op = parse_statement(pieces[-1]).op
    return op.text if op else ""


def _stack(unit: Unit, place: int, amount: int) -> None:
    if amount % 16:
        _warn(
            unit, place, "stack-alignment", f"sp moves by {amount}, no multiple of 16",
            "the ABI keeps sp a multiple of 16: round the frame up"
            if amount % 4 == 0
            else "the ABI keeps sp a multiple of 16; words at other addresses than multiples of 4 "
            "cannot be loaded in one piece",
        )  # fmt: skip


def _warn(unit: Unit, place: int, name: str, message: str, hint: str) -> None:
    if name not in unit.reporter.warnings_on.enabled:
        return
    start, end = _statement(unit, place)
    unit.diagnose(place, "warning", message, start, end, hint=hint, name=name)


def _statement(unit: Unit, place: int) -> tuple[int, int]:
    """The columns (from 0) of the last statement of a line without its labels."""
    pieces = split_line(unit.positions.text(place))
    statement = parse_statement(pieces[-1])
    if statement.op is None:
        return 0, 0
    return statement.op.start, max(statement.operands.end, statement.op.end)


def _unused(unit: Unit) -> None:
    for symbol in (*unit.symbols.values(), *unit.numeric_before, *unit.numeric.values()):
        if symbol.state != LABEL or symbol.used_at >= 0 or symbol.binding != LOCAL_BINDING:
            continue
        if symbol.name in _ENTRIES or symbol.defined_at < 0 or symbol.variable:
            continue
        if unit.positions.frame(symbol.defined_at).kind != FILE:
            continue
        name = symbol.name.rstrip("f")
        start, end = unit.columns(symbol.defined_at, symbol.name)
        unit.diagnose(
            symbol.defined_at, "warning", f"the label `{name}` is never used", start, end,
            hint="add `.globl` if another source needs it, or remove it", name="unused-label",
        )  # fmt: skip
