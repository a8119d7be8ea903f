"""RV32A, atomic instructions.

Source: Unprivileged ISA 20211203, chapter 8.  The bits aq and rl are written behind the
mnemonic: amoadd.w.aq, amoadd.w.rl, amoadd.w.aqrl.  The address must be a multiple of 4.
"""

from __future__ import annotations

from .insn import Insn
from .op import Op

RV32A: tuple[Insn, ...] = (
    Insn(
        Op.LR_W, "lr.w rd, (rs1)", "00010 aq rl 00000 rs1 010 rd 0101111",
        "x[rd] = M4[x[rs1]]; reserve the word",
    ),
    Insn(
        Op.SC_W, "sc.w rd, rs2, (rs1)", "00011 aq rl rs2 rs1 010 rd 0101111",
        "if the word at x[rs1] is still reserved: M4[x[rs1]] = x[rs2], x[rd] = 0; "
        "else x[rd] = 1; drop the reservation",
    ),
    Insn(
        Op.AMOSWAP_W, "amoswap.w rd, rs2, (rs1)", "00001 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = x[rs2]; x[rd] = t",
    ),
    Insn(
        Op.AMOADD_W, "amoadd.w rd, rs2, (rs1)", "00000 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = t + x[rs2]; x[rd] = t",
    ),
    Insn(
        Op.AMOXOR_W, "amoxor.w rd, rs2, (rs1)", "00100 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = t ^ x[rs2]; x[rd] = t",
    ),
    Insn(
        Op.AMOAND_W, "amoand.w rd, rs2, (rs1)", "01100 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = t & x[rs2]; x[rd] = t",
    ),
    Insn(
        Op.AMOOR_W, "amoor.w rd, rs2, (rs1)", "01000 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = t | x[rs2]; x[rd] = t",
    ),
    Insn(
        Op.AMOMIN_W, "amomin.w rd, rs2, (rs1)", "10000 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = smaller of t and x[rs2] (signed); x[rd] = t",
    ),
    Insn(
        Op.AMOMAX_W, "amomax.w rd, rs2, (rs1)", "10100 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = larger of t and x[rs2] (signed); x[rd] = t",
    ),
    Insn(
        Op.AMOMINU_W, "amominu.w rd, rs2, (rs1)", "11000 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = smaller of t and x[rs2] (unsigned); x[rd] = t",
    ),
    Insn(
        Op.AMOMAXU_W, "amomaxu.w rd, rs2, (rs1)", "11100 aq rl rs2 rs1 010 rd 0101111",
        "t = M4[x[rs1]]; M4[x[rs1]] = larger of t and x[rs2] (unsigned); x[rd] = t",
    ),
)  # fmt: skip
