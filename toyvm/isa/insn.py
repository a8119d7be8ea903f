"""One instruction: its row in the table, and what follows from the row.

Source: Unprivileged ISA 20211203, section 2.2 (formats) and chapter 24 (listings).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from .op import Op
from .syntax import NAME

# A variable piece of an encoding: a field, perhaps with the bits of it that stand there.
_PIECE = re.compile(r"(?P<field>[a-z0-9]+)(\[(?P<bits>[0-9:|]+)\])?$")

# Width in bits of the pieces that are written without a bit range.
_WIDTHS = {
    "rd": 5, "rs1": 5, "rs2": 5, "shamt": 5, "uimm": 5, "csr": 12,
    "aq": 1, "rl": 1, "fm": 4, "pred": 4, "succ": 4,
}  # fmt: skip

# The format by the variable pieces of the encoding, from high bits to low.
_FORMATS = {
    "rs2 rs1 rd": "R",
    "imm[11:0] rs1 rd": "I",
    "shamt rs1 rd": "SHIFT",
    "imm[11:5] rs2 rs1 imm[4:0]": "S",
    "imm[12|10:5] rs2 rs1 imm[4:1|11]": "B",
    "imm[31:12] rd": "U",
    "imm[20|10:1|11|19:12] rd": "J",
    "csr rs1 rd": "CSR",
    "csr uimm rd": "CSRI",
    "fm pred succ rs1 rd": "FENCE",
    "aq rl rs2 rs1 rd": "AMO",
    "aq rl rs1 rd": "LR",
    "rs2 rs1": "SFENCE",
    "": "SYS",
}


@dataclass(frozen=True)
class Slice:
    """A run of bits: ``width`` bits of a field from ``low`` stand in the word at ``shift``."""

    field: str
    low: int
    width: int
    shift: int


@dataclass(frozen=True)
class Insn:
    """One instruction.

    ``syntax`` is the assembly form; the operands in it are the names of encoding fields.
    ``encoding`` lists the pieces of the word from bit 31 to bit 0, separated by spaces.
    ``meaning`` uses x[n] for registers, M1/M2/M4[a] for 1, 2 and 4 bytes of memory at a,
    sext and zext for extension to 32 bits, and pc for the address of the instruction.
    """

    op: Op
    syntax: str
    encoding: str
    meaning: str

    @property
    def mnemonic(self) -> str:
        """The first word of the syntax."""
        return self.syntax.split(" ", 1)[0]

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Names of the operands in the order of the syntax, e.g. ("rd", "imm", "rs1")."""
        return tuple(NAME.findall(self.syntax.partition(" ")[2]))

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """The variable bits of the word, from high to low."""
        return self._parsed[0]

    @property
    def mask(self) -> int:
        """Ones at the bits that are fixed for this instruction."""
        return self._parsed[1]

    @property
    def match(self) -> int:
        """The fixed bits: a word w is this instruction if ``w & mask == match``."""
        return self._parsed[2]

    @cached_property
    def fields(self) -> frozenset[str]:
        """Names of the fields that the word has; not all of them are operands."""
        return frozenset(s.field for s in self.slices)

    @cached_property
    def fmt(self) -> str:
        """The format: R I S B U J SHIFT CSR CSRI FENCE SYS AMO LR or SFENCE.

        SYS has no operands; fence.i is SYS although its word has fields (which are ignored).
        """
        if not self.operands:
            return "SYS"
        return _FORMATS[" ".join(p for p in self.encoding.split() if not p.isdigit())]

    @cached_property
    def _parsed(self) -> tuple[tuple[Slice, ...], int, int]:
        slices: list[Slice] = []
        mask = match = 0
        position = 32
        for piece in self.encoding.split():
            if piece.isdigit():
                position -= len(piece)
                mask |= ((1 << len(piece)) - 1) << position
                match |= int(piece, 2) << position
                continue
            for field, high, low in _ranges(piece):
                position -= high - low + 1
                slices.append(Slice(field, low, high - low + 1, position))
        if position != 0:
            raise ValueError(f"{self.syntax}: the encoding has {32 - position} bits, not 32")
        return tuple(slices), mask, match


def _ranges(piece: str) -> list[tuple[str, int, int]]:
    """The (field, high bit, low bit) runs of one piece such as "imm[12|10:5]" or "rs1"."""
    found = _PIECE.match(piece)
    if found is None:
        raise ValueError(f"'{piece}' is not a piece of an encoding")
    field, bits = found["field"], found["bits"]
    if bits is None:
        return [(field, _WIDTHS[field] - 1, 0)]
    runs = []
    for run in bits.split("|"):
        high, _, low = run.partition(":")
        runs.append((field, int(high), int(low or high)))
    return runs
