"""Patching: the values of fixups into instructions and data, once addresses are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from toyvm.isa.op import Op
from toyvm.isa.table import BY_OP

from . import sections
from .diagnostics import Problem
from .elfdefs import R_32_PCREL, R_ADD8, R_SET6, R_SET_ULEB128, R_SUB6, R_SUB8, R_SUB_ULEB128
from .encode import inserter
from .sections import DATA_SIZES, Fixup, Section
from .values import LABEL, Rel, Symbol

_B = inserter(BY_OP[Op.BEQ], "imm")
_J = inserter(BY_OP[Op.JAL], "imm")
_I = inserter(BY_OP[Op.ADDI], "imm")
_S = inserter(BY_OP[Op.SW], "imm")
_U = inserter(BY_OP[Op.LUI], "imm")
_ALL = 0xFFFF_FFFF
_RS1_FIELD = ~(0x1F << 15) & _ALL

HighParts: TypeAlias = Mapping[tuple[int, int], Fixup]


def signed32(value: int) -> int:
    """The low 32 bits as a signed number."""
    return ((value + (1 << 31)) & _ALL) - (1 << 31)


def _or(data: bytearray, at: int, bits: int) -> None:
    word = int.from_bytes(data[at : at + 4], "little") | bits
    data[at : at + 4] = word.to_bytes(4, "little")


def _upper(value: int) -> int:
    """The part for lui or auipc, such that a signed low part completes it."""
    return (value + 0x800 & _ALL) & 0xFFFF_F000


def apply(section: Section, fixup: Fixup, value: int) -> None:
    """Patch one place; Problem if the value does not fit.

    For a %pcrel_lo ``value`` is the distance whose low part it gives.
    """
    kind = fixup.kind
    action = _ACTIONS.get(kind)
    if action is not None:
        action(section, fixup, value)
    elif kind > sections.RAW:
        pc = section.address + fixup.offset
        _apply_raw(section.data, fixup.offset, kind - sections.RAW, value, pc)
    else:
        _apply_data(section, fixup, value)


def _apply_branch(section: Section, fixup: Fixup, value: int) -> None:
    at = fixup.offset
    _or(section.data, at, _B(_distance(value, section.address + at, 12, "branch")))


def _apply_jal(section: Section, fixup: Fixup, value: int) -> None:
    at = fixup.offset
    _or(section.data, at, _J(_distance(value, section.address + at, 20, "jump")))


def _apply_call(section: Section, fixup: Fixup, value: int) -> None:
    if value == 0 and is_missing_weak(fixup):
        # A call of a weak function that nobody defines goes to address 0, as in GNU ld.
        data, at = section.data, fixup.offset
        word = int.from_bytes(data[at + 4 : at + 8], "little") & _RS1_FIELD
        data[at + 4 : at + 8] = word.to_bytes(4, "little")
        return
    _apply_pair(section, fixup, value)


def _apply_pair(section: Section, fixup: Fixup, value: int) -> None:
    data, at = section.data, fixup.offset
    distance = value - section.address - at
    low = _S(distance) if fixup.kind == sections.PAIR_S else _I(distance)
    words = int.from_bytes(data[at : at + 8], "little") | low << 32 | _upper_bits(distance)
    data[at : at + 8] = words.to_bytes(8, "little")


def _apply_data(section: Section, fixup: Fixup, value: int) -> None:
    size = DATA_SIZES[fixup.kind]
    mask = (1 << 8 * size) - 1
    if not -mask - 1 < value <= mask:
        raise Problem(
            f"{value:#x} does not fit in {size} byte{'s' if size > 1 else ''}",
            expected=f"at most {mask:#x}",
        )
    at = fixup.offset
    section.data[at : at + size] = (value & mask).to_bytes(size, "little")


def _apply_high(section: Section, fixup: Fixup, value: int) -> None:
    _or(section.data, fixup.offset, _upper_bits(value))


def _apply_pcrel_high(section: Section, fixup: Fixup, value: int) -> None:
    at = fixup.offset
    _or(section.data, at, _upper_bits(value - section.address - at))


def _apply_low(section: Section, fixup: Fixup, value: int) -> None:
    _or(section.data, fixup.offset, _I(value))


def _apply_store_low(section: Section, fixup: Fixup, value: int) -> None:
    _or(section.data, fixup.offset, _S(value))


_ACTIONS: dict[int, Callable[[Section, Fixup, int], None]] = {
    sections.BRANCH: _apply_branch,
    sections.JAL: _apply_jal,
    sections.CALL: _apply_call,
    sections.PAIR_I: _apply_pair,
    sections.PAIR_S: _apply_pair,
    sections.HI20: _apply_high,
    sections.LO12_I: _apply_low,
    sections.LO12_S: _apply_store_low,
    sections.PCREL_HI20: _apply_pcrel_high,
    sections.PCREL_LO12_I: _apply_low,
    sections.PCREL_LO12_S: _apply_store_low,
}


# Bytes that ADD, SUB and SET relocations change.
_WIDTHS = {
    1: 4, 2: 8, 33: 1, 34: 2, 35: 4, 36: 8, 37: 1, 38: 2, 39: 4, 40: 8, 54: 1, 55: 2, 56: 4, 57: 4,
}  # fmt: skip


def _apply_raw(data: bytearray, at: int, kind: int, value: int, pc: int) -> None:
    """A relocation of an object's data; some change what stands there, and all results wrap."""
    if kind in (R_SET_ULEB128, R_SUB_ULEB128):
        _apply_uleb(data, at, kind, value)
        return
    if kind in (R_SET6, R_SUB6):
        old = data[at]
        low = value if kind == R_SET6 else old - value
        data[at] = old & 0xC0 | low & 0x3F
        return
    size = _WIDTHS[kind]
    mask = (1 << 8 * size) - 1
    old = int.from_bytes(data[at : at + size], "little")
    if kind >= R_SUB6 or kind < R_ADD8:
        new = value - pc if kind == R_32_PCREL else value
    else:
        new = old + value if kind < R_SUB8 else old - value
    data[at : at + size] = (new & mask).to_bytes(size, "little")


def _apply_uleb(data: bytearray, at: int, kind: int, value: int) -> None:
    """A number of variable length keeps the length that it has."""
    end = at
    old = shift = 0
    while end < len(data) and data[end] & 0x80:
        old |= (data[end] & 0x7F) << shift
        shift, end = shift + 7, end + 1
    if end >= len(data):
        raise Problem("the number of variable length does not end inside its section")
    old |= (data[end] & 0x7F) << shift
    new = value & _ALL if kind == R_SET_ULEB128 else old - value & _ALL
    for i in range(at, end + 1):
        data[i] = new & 0x7F | (0x80 if i < end else 0)
        new >>= 7


def insert_high(data: bytearray, at: int, value: int) -> None:
    """Put the upper part of a value into the lui or auipc at ``at``."""
    _or(data, at, _upper_bits(value))


def insert_low(data: bytearray, at: int, value: int, store: bool) -> None:
    """Put the low part of a value into the load, addi or store at ``at``."""
    _or(data, at, (_S if store else _I)(value))


def insert_distance(data: bytearray, at: int, distance: int, branch: bool) -> None:
    """Put a distance into the branch or jal at ``at``; what does not fit is cut off."""
    _or(data, at, (_B if branch else _J)(distance))


def _upper_bits(value: int) -> int:
    return _U(_upper(value) >> 12) if _U_IS_SHIFTED else _U(_upper(value))


# Whether the table counts the upper immediate from bit 12 (imm[31:12] of the operand's value).
_U_IS_SHIFTED = _U(1) != 0


def _distance(value: int, pc: int, bits: int, what: str) -> int:
    distance = signed32(value - pc)
    if distance & 1:
        raise Problem(
            f"the target {value & _ALL:#x} of this {what} is odd",
            hint="instructions stand at multiples of 4",
        )
    if not -(1 << bits) <= distance < 1 << bits:
        reach = "4 KiB" if bits == 12 else "1 MiB"
        raise Problem(
            f"the target of this {what} is {abs(distance)} bytes away",
            expected=f"at most {reach} in either direction",
            hint="`call` and `tail` reach any distance",
        )
    return distance


def is_missing_weak(fixup: Fixup) -> bool:
    """Whether the fixup is about a weak symbol without a definition."""
    value = fixup.value
    if not isinstance(value, Rel) or not isinstance(value.base, Symbol):
        return False
    symbol = value.base
    return symbol.state == 0 and symbol.target is None and value.addend == 0


def high_part_of(
    value: object, highs: Mapping[tuple[int, int], Fixup]
) -> tuple[Section, Fixup] | None:
    """The %pcrel_hi (or the pair) at the label that a %pcrel_lo names, None if none is there."""
    if not isinstance(value, Rel):
        return None
    base, offset = value.base, value.addend
    if isinstance(base, Symbol):
        if base.state != LABEL or base.section is None:
            return None
        offset += base.value
        base = base.section
    found = highs.get((id(base), offset))
    return None if found is None else (base, found)
