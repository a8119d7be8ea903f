"""The instruction table: every row, in the order of ``Op``, and the decoder's arrays."""

from __future__ import annotations

from .insn import Insn
from .op import Op
from .priv import PRIV
from .rv32a import RV32A
from .rv32i import RV32I
from .rv32m import RV32M
from .zicsr import ZICSR

__all__ = ["BY_MNEMONIC", "BY_OP", "EXTENSIONS", "INSNS", "MASK", "MATCH", "Insn", "Op"]

EXTENSIONS: tuple[tuple[str, tuple[Insn, ...]], ...] = (
    ("RV32I and Zifencei", RV32I),
    ("Zicsr", ZICSR),
    ("RV32M", RV32M),
    ("RV32A", RV32A),
    ("Privileged", PRIV),
)
"""The rows by extension, for documents."""

INSNS: tuple[Insn, ...] = tuple(row for _, rows in EXTENSIONS for row in rows)
"""Every instruction; ``INSNS[op - 1].op == op``."""

BY_OP: dict[Op, Insn] = {i.op: i for i in INSNS}
BY_MNEMONIC: dict[str, Insn] = {i.mnemonic: i for i in INSNS}

MASK: tuple[int, ...] = (0, *(i.mask for i in INSNS))
"""Fixed bits by Op; entry 0 matches no word."""
MATCH: tuple[int, ...] = (0xFFFF_FFFF, *(i.match for i in INSNS))
"""Values of the fixed bits by Op: a word w is op if ``w & MASK[op] == MATCH[op]``."""
