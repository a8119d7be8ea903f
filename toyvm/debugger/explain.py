"""What one instruction is and does, from the ISA table and the registers as they are now."""

from __future__ import annotations

import re

from toyvm.isa.csr import BY_NUMBER as CSR_BY_NUMBER
from toyvm.isa.csr import csr_name
from toyvm.isa.decode import Decoded, decode
from toyvm.isa.disasm import disasm
from toyvm.isa.registers import ABI_NAMES

from .formats import with_symbol
from .session import Session
from .target import MASK32

_MODES = {0: "U", 1: "S", 3: "M"}
_REGISTER_FIELDS = ("rd", "rs1", "rs2")


def field_rows(insn: Decoded) -> list[tuple[str, str, str, str]]:
    """(bits, field, binary, meaning) of an instruction word, from bit 31 down."""
    rows = []
    fixed = insn.insn.mask
    position = 31
    slices = {piece.shift + piece.width - 1: piece for piece in insn.insn.slices}
    while position >= 0:
        piece = slices.get(position)
        if piece is not None:
            low = piece.shift
            name = piece.field
            if _split(insn, name):
                top = piece.low + piece.width - 1
                name += f"[{top}:{piece.low}]" if piece.width > 1 else f"[{top}]"
            meaning = _field_meaning(insn, piece.field)
        else:
            low = position
            while low > 0 and low - 1 not in slices and fixed >> (low - 1) & 1 and low != 7:
                low -= 1
            name = "opcode" if low == 0 and position == 6 else "fixed"
            meaning = "selects " + insn.insn.mnemonic if name == "fixed" else ""
        width = position - low + 1
        bits = insn.word >> low & ((1 << width) - 1)
        span = f"{position}:{low}" if width > 1 else f"{low}"
        rows.append((span, name, f"{bits:0{width}b}", meaning))
        position = low - 1
    return rows


def _split(insn: Decoded, name: str) -> bool:
    return name == "imm"


def _field_meaning(insn: Decoded, name: str) -> str:
    value: int = getattr(insn, name)
    if name in _REGISTER_FIELDS:
        return f"x{value} = {ABI_NAMES[value]}"
    if name == "csr":
        row = CSR_BY_NUMBER.get(value)
        return f"{csr_name(value)}: {row.meaning}" if row else f"{value:#x}: no such CSR"
    if name == "imm":
        return f"imm = {value}" + (f" = {value:#x}" if abs(value) > 9 else "")
    return f"{name} = {value}"


def explain_word(session: Session, word: int, address: int | None) -> list[str]:
    """Lines that explain `word`, as it stands at `address` (None: nowhere in particular)."""
    insn = decode(word)
    pc = session.target.pc if address is None else address
    if insn is None:
        return [
            f"{word:#010x} is no instruction of RV32IMA: executing it raises an illegal "
            "instruction exception (cause 2)"
        ]
    plain = disasm(word, pc, pseudo=False)
    short = disasm(word, pc, lambda a: session.symbols.describe(a) or None)
    lines = [short if short == plain else f"{short}    (that is: {plain})"]
    lines.append(f"  word     {word:#010x}   format {insn.insn.fmt}   syntax {insn.insn.syntax}")
    rows = field_rows(insn)
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for span, name, bits, meaning in rows:
        lines.append(
            f"  {span:>{widths[0]}}  {name:<{widths[1]}}  {bits:>{widths[2]}}  {meaning}".rstrip()
        )
    lines.append(f"  meaning  {insn.insn.meaning}")
    row = CSR_BY_NUMBER.get(insn.csr) if "csr" in insn.insn.fields else None
    if row is not None:
        lines.append(f"  csr      {row.name}: {row.meaning}; needs mode {_MODES[row.privilege]}")
        if row.note:
            lines.append(f"           {row.note}")
    if address == session.target.pc:
        lines += _now(session, insn)
    return lines


def _now(session: Session, insn: Decoded) -> list[str]:
    """The values that the instruction at pc is about to use."""
    target, lines = session.target, []
    for name in ("rs1", "rs2"):
        if name in insn.insn.fields and re.search(rf"x\[{name}\]", insn.insn.meaning):
            number = getattr(insn, name)
            value = target.reg(number)
            lines.append(
                f"  now      {ABI_NAMES[number]} = {with_symbol(value, session.symbols)} ({value})"
            )
    if "imm(rs1)" in insn.insn.syntax and insn.insn.mnemonic != "jalr":
        where = (target.reg(insn.rs1) + insn.imm) & MASK32
        lines.append(f"  now      address = {with_symbol(where, session.symbols)}")
    if "csr" in insn.insn.fields and insn.csr in CSR_BY_NUMBER:
        value = target.csr(CSR_BY_NUMBER[insn.csr].name)
        lines.append(f"  now      {csr_name(insn.csr)} = {value:#010x}")
    return lines
