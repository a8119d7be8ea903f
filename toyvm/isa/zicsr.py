"""Zicsr, access to control and status registers.

Source: Unprivileged ISA 20211203, chapter 9.  With rd = x0 the "w" forms do not read; with
rs1 = x0 or uimm = 0 the "s" and "c" forms do not write, so they may name a read-only CSR.
"""

from __future__ import annotations

from .insn import Insn
from .op import Op

ZICSR: tuple[Insn, ...] = (
    Insn(
        Op.CSRRW, "csrrw rd, csr, rs1", "csr rs1 001 rd 1110011",
        "t = csr; csr = x[rs1]; x[rd] = t",
    ),
    Insn(
        Op.CSRRS, "csrrs rd, csr, rs1", "csr rs1 010 rd 1110011",
        "t = csr; csr = t | x[rs1]; x[rd] = t",
    ),
    Insn(
        Op.CSRRC, "csrrc rd, csr, rs1", "csr rs1 011 rd 1110011",
        "t = csr; csr = t & ~x[rs1]; x[rd] = t",
    ),
    Insn(
        Op.CSRRWI, "csrrwi rd, csr, uimm", "csr uimm 101 rd 1110011",
        "t = csr; csr = uimm; x[rd] = t",
    ),
    Insn(
        Op.CSRRSI, "csrrsi rd, csr, uimm", "csr uimm 110 rd 1110011",
        "t = csr; csr = t | uimm; x[rd] = t",
    ),
    Insn(
        Op.CSRRCI, "csrrci rd, csr, uimm", "csr uimm 111 rd 1110011",
        "t = csr; csr = t & ~uimm; x[rd] = t",
    ),
)  # fmt: skip
