"""Words to instructions and back, by the table.

This is the readable decoder: tools use it.  The hart has a compiled one over MASK and MATCH.
"""

from __future__ import annotations

from dataclasses import dataclass

from .insn import Insn
from .op import Op
from .table import BY_OP, INSNS


@dataclass(frozen=True, slots=True)
class Decoded:
    """An instruction word taken apart; fields that the instruction does not have are 0.

    ``imm`` is signed and in bytes for branches and jumps (relative to pc); for lui and auipc
    it is the unsigned 20-bit number that assembly shows, to be shifted left by 12.
    """

    insn: Insn
    word: int
    rd: int = 0
    rs1: int = 0
    rs2: int = 0
    imm: int = 0
    shamt: int = 0
    csr: int = 0
    uimm: int = 0
    aq: int = 0
    rl: int = 0
    fm: int = 0
    pred: int = 0
    succ: int = 0

    @property
    def op(self) -> Op:
        """The instruction's Op."""
        return self.insn.op


# Immediate by format: number of bits, signed, and the bits that must be zero.
_IMMEDIATES = {
    "I": (12, True, 0), "S": (12, True, 0), "B": (13, True, 1), "J": (21, True, 1),
    "U": (20, False, 0), "SYS": (12, True, 0),
}  # fmt: skip

_BY_OPCODE: dict[int, tuple[Insn, ...]] = {
    code: tuple(i for i in INSNS if i.match & 0x7F == code)
    for code in {i.match & 0x7F for i in INSNS}
}


def find(word: int) -> Insn | None:
    """The row that the 32-bit word matches, or None if it is no instruction."""
    for insn in _BY_OPCODE.get(word & 0x7F, ()):
        if word & insn.mask == insn.match:
            return insn
    return None


def decode(word: int) -> Decoded | None:
    """Take a 32-bit word apart; None if it is no instruction of this machine.

    Whether the current mode may execute it, and whether a CSR exists, is not asked here.
    """
    insn = find(word)
    if insn is None:
        return None
    values: dict[str, int] = {}
    for s in insn.slices:
        bits = (word >> s.shift) & ((1 << s.width) - 1)
        values[s.field] = values.get(s.field, 0) | bits << s.low
    if "imm" in values:
        bits, signed, _ = _IMMEDIATES[insn.fmt]
        if insn.fmt == "U":
            values["imm"] >>= 12
        elif signed and values["imm"] >> (bits - 1):
            values["imm"] -= 1 << bits
    return Decoded(insn, word, **values)


def encode(op: Op, **fields: int) -> int:
    """The 32-bit word of an instruction; fields left out are 0.

    Fields are those of Decoded: rd rs1 rs2 imm shamt csr uimm aq rl fm pred succ.
    ``imm`` counts as in Decoded.  Raises ValueError naming the field and its range, and for a
    field that the instruction does not have.
    """
    insn = BY_OP[op]
    for name, value in fields.items():
        if name not in insn.fields:
            raise ValueError(f"{insn.mnemonic} has no field '{name}': it is '{insn.syntax}'")
        low, high, step = field_range(insn, name)
        if not low <= value <= high:
            raise ValueError(f"{insn.mnemonic}: {name} {value} is outside {low} to {high}")
        if value % step:
            raise ValueError(f"{insn.mnemonic}: {name} {value} is not a multiple of {step}")
    word = insn.match
    for s in insn.slices:
        value = fields.get(s.field, 0)
        if s.field == "imm" and insn.fmt == "U":
            value <<= 12
        word |= (value >> s.low & ((1 << s.width) - 1)) << s.shift
    return word


def field_range(insn: Insn, name: str) -> tuple[int, int, int]:
    """(smallest, largest, step) of a field that the instruction has."""
    if name == "imm":
        bits, signed, zeros = _IMMEDIATES[insn.fmt]
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - 1 if signed else bits)) - 1 - zeros
        return low, high, zeros + 1
    width = sum(s.width for s in insn.slices if s.field == name)
    return 0, (1 << width) - 1, 1
