"""Unwinding tables: .eh_frame and .debug_frame from the rules that ``.cfi_*`` gave.

Source: DWARF 5, section 6.4; for .eh_frame the Linux Standard Base, "Exception Frames".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .debugdata import Builder, new_section, sleb, uleb
from .debuginfo import OMITTED, CfiFrame, CfiOp
from .sections import SHF_ALLOC
from .values import Bound, Rel

if TYPE_CHECKING:
    from .unit import Unit

_DATA_ALIGN = -4
_POINTER = 0x1B
_STACK_POINTER = 2
_NO_ADVANCE = frozenset(["remember_state", "escape", "label"])


@dataclass
class _Common:
    """A common information entry, and the rules that all its functions begin with."""

    offset: int
    key: tuple[object, ...]
    first: list[CfiOp]


def add_unwind_sections(unit: Unit) -> None:
    """Write the tables that the source asked for."""
    if not unit.debug.frames:
        return
    if unit.debug.eh_frame:
        _Table(unit, ".eh_frame", True).write()
    if unit.debug.debug_frame:
        _Table(unit, ".debug_frame", False).write()


class _Table:
    def __init__(self, unit: Unit, name: str, eh: bool) -> None:
        self.unit = unit
        self.eh = eh
        flags = SHF_ALLOC if eh else 0
        self.out = Builder(new_section(unit.sections, name, flags, align=4))
        self.out.section.pad_to(4, None)
        self.entries: list[_Common] = []

    def write(self) -> None:
        for frame in self.unit.debug.frames:
            self.out.place = frame.place
            ops = list(frame.ops)
            if not frame.simple:
                # At the entry of a function its frame begins at the stack pointer.
                ops.insert(0, CfiOp(frame.start, "def_cfa_register", (_STACK_POINTER,)))
            common, rest = self.common(frame, ops)
            self.function(frame, common, rest)

    def common(self, frame: CfiFrame, ops: list[CfiOp]) -> tuple[_Common, list[CfiOp]]:
        """The entry that fits the function, and the rules that it leaves."""
        count = 0
        while (
            count < len(ops)
            and ops[count].offset == frame.start
            and ops[count].name not in _NO_ADVANCE
        ):
            count += 1
        key: tuple[object, ...] = frame.return_column, frame.signal
        if self.eh:
            encoding, routine = frame.personality
            key += encoding, _identity(routine), frame.lsda[0]
        for known in self.entries:
            if known.key == key and [(o.name, o.args) for o in known.first] == [
                (o.name, o.args) for o in ops[:count]
            ]:
                return known, ops[count:]
        made = _Common(len(self.out), key, ops[:count])
        self.entries.append(made)
        self.write_common(frame, made)
        return made, ops[count:]

    def write_common(self, frame: CfiFrame, entry: _Common) -> None:
        out = self.out
        start = out.open_length()
        out.word(0 if self.eh else 0xFFFF_FFFF)
        personality, value = frame.personality
        letters = ""
        if self.eh:
            letters = "z" + "P" * (personality != OMITTED) + "L" * (frame.lsda[0] != OMITTED) + "R"
        out.add(3)
        out.text(letters + "S" * frame.signal)
        out.add(uleb(1), sleb(_DATA_ALIGN), uleb(frame.return_column))
        if self.eh:
            size = 1 + (personality != OMITTED) * (1 + _width(personality))
            out.add(uleb(size + (frame.lsda[0] != OMITTED)))
            if personality != OMITTED:
                out.add(personality)
                self.pointer(personality, value)
            if frame.lsda[0] != OMITTED:
                out.add(frame.lsda[0])
            out.add(_POINTER)
        self.rules(entry.first, frame.start, [0])
        self.finish(start)

    def function(self, frame: CfiFrame, common: _Common, ops: list[CfiOp]) -> None:
        out = self.out
        start = out.open_length()
        first, last = Rel(frame.section, frame.start), Rel(frame.section, frame.end)
        if self.eh:
            out.word(len(out) - common.offset)
            out.relative(first)
        else:
            out.address(Rel(out.section, common.offset))
            out.address(first)
        out.distance(last, first)
        if self.eh:
            encoding, value = frame.lsda
            out.add(uleb(0 if encoding == OMITTED else _width(encoding)))
            if encoding != OMITTED:
                self.pointer(encoding, value)
        state = [0]
        for op in common.first:
            _track(op, state)
        self.rules(ops, frame.start, state)
        self.finish(start)

    def finish(self, start: int) -> None:
        """Fill up with rules that do nothing, and fill in the length."""
        out = self.out
        out.add(bytes(-(len(out) - start) % 4))
        out.close_length(start)

    def pointer(self, encoding: int, value: Bound) -> None:
        """A reference to the personality routine or its data."""
        width = _width(encoding)
        if encoding & 0x70 == 0x10:
            self.out.relative(value)
            self.out.add(bytes(width - 4))
        else:
            self.out.address(value, width)

    def rules(self, ops: list[CfiOp], at: int, state: list[int]) -> None:
        """The rules as instructions of the unwinder; ``state`` is the stack of CFA offsets."""
        out = self.out
        for op in ops:
            if op.offset > at:
                _advance(out, op.offset - at)
                at = op.offset
            _rule(out, op, state)
            _track(op, state)


def _identity(value: Bound) -> object:
    """Equal for values that mean the same."""
    if isinstance(value, Rel):
        return id(value.base), value.addend
    return value if isinstance(value, int) else id(value)


def _width(encoding: int) -> int:
    """Bytes of an encoded pointer."""
    return {2: 2, 10: 2, 4: 8, 12: 8}.get(encoding & 0x0F, 4)


def _advance(out: Builder, distance: int) -> None:
    if distance < 0x40:
        out.add(0x40 | distance)
    elif distance < 1 << 8:
        out.add(2, distance)
    elif distance < 1 << 16:
        out.add(3)
        out.word(distance, 2)
    else:
        out.add(4)
        out.word(distance)


def _track(op: CfiOp, state: list[int]) -> None:
    """Follow the offset of the frame's address."""
    if op.name in ("def_cfa", "def_cfa_offset"):
        state[-1] = op.args[-1]
    elif op.name == "adjust_cfa_offset":
        state[-1] += op.args[0]
    elif op.name == "remember_state":
        state.append(state[-1])
    elif op.name == "restore_state" and len(state) > 1:
        state.pop()


_PLAIN = {
    "register": 0x09, "undefined": 0x07, "same_value": 0x08, "def_cfa_register": 0x0D,
    "remember_state": 0x0A, "restore_state": 0x0B, "window_save": 0x2D,
}  # fmt: skip


def _rule(out: Builder, op: CfiOp, state: list[int]) -> None:
    """One rule."""
    name, args = op.name, op.args
    if name in _PLAIN:
        out.add(_PLAIN[name], *(uleb(a) for a in args))
    elif op.symbol is not None:
        op.symbol.section, op.symbol.value = out.section, len(out)
    elif name == "escape":
        out.add(bytes(args))
    elif name == "def_cfa":
        _cfa(out, (0x0C, 0x12), uleb(args[0]), args[1])
    elif name in ("def_cfa_offset", "adjust_cfa_offset"):
        offset = args[0] + (state[-1] if name == "adjust_cfa_offset" else 0)
        _cfa(out, (0x0E, 0x13), b"", offset)
    elif name == "restore":
        register = args[0]
        out.add(*([0xC0 | register] if register < 0x40 else [0x06, uleb(register)]))
    elif name in ("offset", "rel_offset", "val_offset"):
        register, offset = args
        if name == "rel_offset":
            offset -= state[-1]
        factored = offset // _DATA_ALIGN
        if name == "val_offset":
            value = sleb(factored) if factored < 0 else uleb(factored)
            out.add(0x15 if factored < 0 else 0x14, uleb(register), value)
        elif factored < 0:
            out.add(0x11, uleb(register), sleb(factored))
        elif register < 0x40:
            out.add(0x80 | register, uleb(factored))
        else:
            out.add(0x05, uleb(register), uleb(factored))


def _cfa(out: Builder, opcodes: tuple[int, int], head: bytes, offset: int) -> None:
    """An offset of the frame's address; a negative one is signed and counted in units."""
    if offset < 0:
        out.add(opcodes[1], head, sleb(offset // _DATA_ALIGN))
    else:
        out.add(opcodes[0], head, uleb(offset))
