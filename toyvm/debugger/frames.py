"""Who called whom, from prologues.

The guests carry no unwind tables. What a function did to sp and ra is read from its own
instructions, from its symbol up to pc. That is right for straight prologues such as

    addi sp, sp, -16
    sw   ra, 12(sp)

and a guess everywhere else; the output says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from toyvm.isa.decode import decode
from toyvm.isa.op import Op
from toyvm.isa.registers import RA, SP, ZERO

from .code import word_at
from .symbols import Symbols
from .target import MASK32, Target

MAX_FRAMES = 32
#: A function longer than this many instructions is not scanned from its start.
MAX_SCAN = 4096


@dataclass(frozen=True)
class Frame:
    """One function activation. `sp` at this place; `how` says where `pc` was found."""

    pc: int
    sp: int
    how: str


def function_start(target: Target, symbols: Symbols, pc: int) -> int | None:
    """Where the function around `pc` starts, None if that cannot be told.

    A label inside a function is reached by falling through or by a branch from above; a
    function is not.
    """
    if symbols.covering(pc) is None:
        return None
    candidates = symbols.before(pc, 32)
    for index, symbol in enumerate(candidates):
        start = symbol.address
        if pc - start > 4 * MAX_SCAN or start % 4:
            return None
        if symbol.is_function or index + 1 == len(candidates):
            return start
        if _leaves(target, start - 4) and not _entered(
            target, candidates[index + 1].address, start, pc
        ):
            return start
    return None


def _leaves(target: Target, address: int) -> bool:
    """True if the instruction at `address` never goes on to the next one."""
    word = word_at(target, address)
    insn = None if word is None else decode(word)
    if insn is None:
        return True
    return insn.op in (Op.MRET, Op.SRET) or (insn.op in (Op.JAL, Op.JALR) and insn.rd == ZERO)


def _entered(target: Target, low: int, high: int, pc: int) -> bool:
    """True if a branch or jump in `low`..`high` leads to `high`..`pc`."""
    for address in range(max(low & ~3, high - 4 * MAX_SCAN), high, 4):
        word = word_at(target, address)
        insn = None if word is None else decode(word)
        if insn is None or insn.insn.fmt not in ("B", "J") or insn.rd != ZERO:
            continue
        if high <= address + insn.imm <= pc:
            return True
    return False


@dataclass
class _Stack:
    depth: int = 0  # bytes that sp lies below its value at the entry
    saved: int | None = None  # where ra was stored, in bytes from the entry's sp


def _scan(target: Target, start: int, pc: int) -> _Stack | None:
    """How the stack looks at `pc` in the function that starts at `start`."""
    if not 0 <= pc - start <= 4 * MAX_SCAN:
        return None
    now, body = _Stack(), _Stack()
    for address in range(start, pc, 4):
        word = word_at(target, address)
        insn = None if word is None else decode(word)
        if insn is None:
            return None
        if insn.op == Op.ADDI and insn.rd == SP and insn.rs1 == SP:
            now.depth -= insn.imm
            if insn.imm < 0:
                body = _Stack(now.depth, now.saved)
        elif insn.op == Op.SW and insn.rs1 == SP and insn.rs2 == RA:
            now.saved = insn.imm - now.depth
            body = _Stack(now.depth, now.saved)
        elif insn.op == Op.LW and insn.rd == RA and insn.rs1 == SP:
            now.saved = None
        elif insn.op == Op.JALR and insn.rd == ZERO and insn.rs1 == RA:
            # After a return the code belongs to another path through the body.
            now = _Stack(body.depth, body.saved)
    return now


def backtrace(target: Target, symbols: Symbols, limit: int = MAX_FRAMES) -> list[Frame]:
    """The frames from the innermost one out, as far as they can be told."""
    pc, sp = target.pc, target.reg(SP)
    frames = [Frame(pc, sp, "pc")]
    ra: int | None = target.reg(RA)
    while len(frames) < limit:
        function = function_start(target, symbols, pc)
        stack = _Stack() if function is None else _scan(target, function, pc)
        if stack is None:
            break
        entry_sp = (sp + stack.depth) & MASK32
        if stack.saved is None:
            caller, how = ra, "ra"
        else:
            where = (entry_sp + stack.saved) & MASK32
            data = target.read(where, 4)
            caller = None if data is None else int.from_bytes(data, "little")
            how = f"saved ra at {where:#x}"
        if not caller or caller % 4 or word_at(target, caller - 4) is None:
            break
        if symbols.covering(caller) is None and len(symbols):
            break
        if caller == pc and entry_sp == sp:
            break
        pc, sp, ra = caller, entry_sp, None
        frames.append(Frame(pc, sp, how))
        if function is None:
            break
    return frames
