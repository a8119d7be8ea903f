"""Instructions in memory: reading them, their text, and where they lead."""

from __future__ import annotations

from dataclasses import dataclass

from toyvm.isa.decode import Decoded, decode
from toyvm.isa.disasm import disasm
from toyvm.isa.op import Op
from toyvm.isa.registers import RA, T0

from .symbols import Symbols
from .target import MASK32, Target

_BRANCHES = {
    Op.BEQ: lambda a, b: a == b,
    Op.BNE: lambda a, b: a != b,
    Op.BLT: lambda a, b: _signed(a) < _signed(b),
    Op.BGE: lambda a, b: _signed(a) >= _signed(b),
    Op.BLTU: lambda a, b: a < b,
    Op.BGEU: lambda a, b: a >= b,
}


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x8000_0000 else value


@dataclass(frozen=True)
class Line:
    """One instruction in memory; `word` None if it cannot be read."""

    address: int
    word: int | None
    text: str


def word_at(target: Target, address: int) -> int | None:
    """The instruction word at virtual `address`, None if it is not mapped RAM."""
    data = target.read(address, 4)
    return None if data is None else int.from_bytes(data, "little")


def line_at(target: Target, address: int, symbols: Symbols) -> Line:
    """The instruction at `address` with its text."""
    address &= MASK32
    word = word_at(target, address)
    if word is None:
        return Line(address, None, "(cannot read)")
    return Line(address, word, disasm(word, address, lambda a: symbols.describe(a) or None))


def lines_around(target: Target, pc: int, symbols: Symbols, before: int, after: int) -> list[Line]:
    """Instructions before and after `pc`, without those that cannot be read before it."""
    found = []
    for index in range(-before, after + 1):
        address = pc + 4 * index
        if not 0 <= address <= MASK32:
            continue
        line = line_at(target, address, symbols)
        if line.word is not None or index == 0:
            found.append(line)
    return found


def current(target: Target) -> Decoded | None:
    """The instruction at pc taken apart, None if it is none or cannot be read."""
    word = word_at(target, target.pc)
    return None if word is None else decode(word)


def is_call(insn: Decoded | None) -> bool:
    """True for a jump that leaves its return address in ra or t0."""
    return insn is not None and insn.op in (Op.JAL, Op.JALR) and insn.rd in (RA, T0)


def is_system_call(insn: Decoded | None) -> bool:
    """True for ecall."""
    return insn is not None and insn.op == Op.ECALL


def branch_note(target: Target, insn: Decoded | None, symbols: Symbols) -> str:
    """What the instruction at pc is about to do with pc, in words; empty if nothing special."""
    if insn is None:
        return ""
    pc = target.pc
    if insn.op in _BRANCHES:
        taken = _BRANCHES[insn.op](target.reg(insn.rs1), target.reg(insn.rs2))
        return f"taken -> {_name(pc + insn.imm, symbols)}" if taken else "not taken"
    if insn.op == Op.JALR:
        return f"-> {_name((target.reg(insn.rs1) + insn.imm) & ~1, symbols)}"
    if insn.op == Op.MRET:
        return f"-> {_name(target.csr('mepc'), symbols)}"
    if insn.op == Op.SRET:
        return f"-> {_name(target.csr('sepc'), symbols)}"
    return ""


def _name(address: int, symbols: Symbols) -> str:
    address &= MASK32
    return symbols.describe(address) or f"{address:#x}"
