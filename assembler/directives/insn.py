"""``.insn``: instructions put together from their fields, in the formats of GNU as.

The formats are those of the manual (chapter 24): ``r``, ``r4``, ``i``, ``s``, ``b`` (``sb``),
``u`` and ``j`` (``uj``), or a whole instruction as a number.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from toyvm.isa.op import Op
from toyvm.isa.table import BY_OP

from .. import sections
from ..diagnostics import Problem, did_you_mean
from ..encode import check_imm12, check_upper, inserter, low_part
from ..expressions import Modified
from ..lexer import Span, split_operands
from ..operands import operand
from ..sections import Fixup

if TYPE_CHECKING:
    from ..unit import Unit

OPCODES = {
    "LOAD": 0x03, "LOAD_FP": 0x07, "CUSTOM_0": 0x0B, "MISC_MEM": 0x0F, "OP_IMM": 0x13,
    "AUIPC": 0x17, "OP_IMM_32": 0x1B, "STORE": 0x23, "STORE_FP": 0x27, "CUSTOM_1": 0x2B,
    "AMO": 0x2F, "OP": 0x33, "LUI": 0x37, "OP_32": 0x3B, "MADD": 0x43, "MSUB": 0x47,
    "NMSUB": 0x4B, "NMADD": 0x4F, "OP_FP": 0x53, "CUSTOM_2": 0x5B, "BRANCH": 0x63, "JALR": 0x67,
    "JAL": 0x6F, "SYSTEM": 0x73, "CUSTOM_3": 0x7B,
}  # fmt: skip
"""Names of the major opcodes (Unprivileged ISA, table 24.1) with the low bits 11."""

FORMATS: dict[str, tuple[str, ...]] = {
    "r": ("opcode, func3, func7, rd, rs1, rs2", "opcode, func3, func2, rd, rs1, rs2, rs3"),
    "r4": ("opcode, func3, func2, rd, rs1, rs2, rs3",),
    "i": ("opcode, func3, rd, rs1, simm12", "opcode, func3, rd, simm12(rs1)"),
    "s": ("opcode, func3, rs2, simm12(rs1)",),
    "sb": ("opcode, func3, rs1, rs2, symbol",),
    "b": ("opcode, func3, rs1, rs2, symbol",),
    "u": ("opcode, rd, simm20",),
    "uj": ("opcode, rd, symbol",),
    "j": ("opcode, rd, symbol",),
}
"""The operands of each format."""

_COMPRESSED = frozenset(["cr", "ci", "ciw", "css", "cl", "cs", "ca", "cb", "cj"])
_FUNCTIONS = {"func2": 3, "func3": 7, "func7": 127}
_SHIFTS = {"func2": 25, "func3": 12, "func7": 25, "rd": 7, "rs1": 15, "rs2": 20, "rs3": 27}
_STORE = inserter(BY_OP[Op.SW], "imm")


def insn(unit: Unit, args: Span) -> None:
    """.insn FORMAT OPCODE, FIELD ... or .insn [SIZE,] WORD"""
    word, _, rest = args.text.partition(" ")
    if word in FORMATS:
        lead = len(rest) - len(rest.lstrip())
        start = args.start + len(word) + 1 + lead
        _fields(unit, word, [s.text for s in split_operands(rest.strip(), start)])
        return
    if word in _COMPRESSED:
        raise Problem(
            f"the format `{word}` is of compressed instructions, which this machine has not",
            operand=None,
            expected=", ".join(FORMATS),
        )
    spans = split_operands(args.text, args.start)
    if not spans:
        raise Problem(
            "an instruction is missing here",
            expected=".insn 0x00000013 or .insn format opcode, fields",
            notes=["formats: " + ", ".join(FORMATS)],
        )
    if word.isalpha() and " " in args.text and not unit.is_defined(word):
        raise Problem(
            f"`{word}` is not a format of instructions", operand=None,
            expected=", ".join(FORMATS), hint=did_you_mean(word, FORMATS),
        )  # fmt: skip
    unit.emit(struct.pack("<I", _number(unit, spans)), instruction=True)


def _number(unit: Unit, spans: list[Span]) -> int:
    """A whole instruction: [size,] word."""
    at = len(spans) - 1
    if len(spans) > 2:
        raise Problem("there are too many values", operand=2, expected="size, word")
    if len(spans) == 2 and unit.evaluate(spans[0], 0, "a size in bytes") != 4:
        raise Problem("instructions here have 4 bytes", operand=0, expected="4")
    value = unit.evaluate(spans[at], at, "an instruction word")
    if not 0 <= value < 1 << 32 or value & 3 != 3 or value & 0x1F == 0x1F:
        raise Problem(
            "this is not a 32-bit instruction word", operand=at,
            expected="a number of 32 bits whose low two bits are 11, and not the low five",
        )  # fmt: skip
    return value


def _fields(unit: Unit, form: str, texts: list[str]) -> None:
    """Put the fields of a format together; operands count from the opcode."""
    patterns = [split_operands(row) for row in FORMATS[form]]
    chosen = next((p for p in patterns if _fits(p, texts)), None)
    note = [f"valid forms of `.insn {form}`: " + "; ".join(FORMATS[form])]
    if chosen is None:
        raise Problem(
            f"`.insn {form}` does not take these operands", operand=-2,
            expected=FORMATS[form][0], notes=note,
        )  # fmt: skip
    word = 0
    for pattern, text in zip((p.text.strip() for p in chosen), texts, strict=True):
        try:
            word |= _field(unit, form, pattern, text)
        except Problem as problem:
            # The text of the statement begins with the format: mark all of it.
            problem.operand, problem.span = -2, None
            problem.notes = (*problem.notes, *note)
            raise
    unit.emit(word.to_bytes(4, "little"), instruction=True)


def _fits(patterns: list[Span], texts: list[str]) -> bool:
    """Whether the number of operands and their memory operands agree."""
    if len(patterns) != len(texts):
        return False
    for pattern, text in zip(patterns, texts, strict=True):
        if ("(" in pattern.text) != (operand(text)[0] in "mM"):
            return False
    return True


def _field(unit: Unit, form: str, pattern: str, text: str) -> int:
    """The bits of one field of the instruction."""
    kind, value = operand(text)
    if pattern == "opcode":
        return _opcode(unit, text.strip(), kind, value)
    if pattern in _FUNCTIONS:
        return _small(unit, pattern, kind, value, _FUNCTIONS[pattern]) << _SHIFTS[pattern]
    if pattern in _SHIFTS:
        return _register(text, kind, value) << _SHIFTS[pattern]
    if "(" in pattern:
        assert isinstance(value, tuple)
        offset, base = value
        store = form == "s"
        low = _low(unit, offset, store)
        return base << _SHIFTS["rs1"] | (_STORE(low) if store else (low & 0xFFF) << 20)
    if kind not in "xX":
        raise Problem(f"`{text.strip()}` is not a value", expected=pattern)
    if pattern == "simm12":
        return (_low(unit, value, False) & 0xFFF) << 20
    if pattern == "simm20":
        return _upper(unit, value) << 12
    return _target(unit, form, value)


def _small(unit: Unit, name: str, kind: str, value: Any, most: int) -> int:
    number = value if isinstance(value, int) and kind == "x" else -1
    if kind == "X":
        number = unit.constant(value, -2, name)
    if not 0 <= number <= most:
        raise Problem(f"the field {name} is out of range", expected=f"0 to {most}")
    return number


def _register(text: str, kind: str, value: Any) -> int:
    if kind != "r":
        raise Problem(f"`{text.strip()}` is not a register", expected="a register")
    return int(value)


def _opcode(unit: Unit, text: str, kind: str, value: Any) -> int:
    number = OPCODES.get(text)
    if number is not None:
        return number
    if kind == "X" and not unit.is_defined(text):
        raise Problem(
            f"`{text}` is not an opcode", expected="a number or a name such as OP_IMM",
            hint=did_you_mean(text, OPCODES),
        )  # fmt: skip
    number = _small(unit, "opcode", kind, value, 127)
    if number & 3 != 3:
        raise Problem(f"the opcode {number:#x} is compressed", expected="low two bits 11")
    return number


def _low(unit: Unit, value: Any, store: bool) -> int:
    """A 12-bit immediate, or %lo(...)."""
    if isinstance(value, int):
        return check_imm12(value, -2, ".insn")
    return low_part(unit, value, -2, BY_OP[Op.SW if store else Op.ADDI], store)


def _upper(unit: Unit, value: Any) -> int:
    """A 20-bit immediate, or %hi(...)."""
    if isinstance(value, Modified) and value.op in ("hi", "pcrel_hi"):
        kind = sections.HI20 if value.op == "hi" else sections.PCREL_HI20
        section = unit.section
        section.fixups.append(Fixup(len(section.data), kind, unit.bound(value.a, -2), unit.place))
        return 0
    return check_upper(unit.constant(value, -2, "an immediate"), -2, ".insn")


def _target(unit: Unit, form: str, value: Any) -> int:
    """The target of a branch or jump: a fixup."""
    section = unit.section
    bound = unit.bound(value, -2)
    if form in ("b", "sb"):
        if unit.next_branch_is_long():
            raise Problem(
                "the target is too far for one instruction", expected="a distance below 4 KiB",
                hint="branch over a jump",
            )  # fmt: skip
        kind = sections.BRANCH
    else:
        kind = sections.JAL
    section.fixups.append(Fixup(len(section.data), kind, bound, unit.place))
    return 0


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {".insn": insn}
