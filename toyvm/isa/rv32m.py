"""RV32M, multiplication and division.

Source: Unprivileged ISA 20211203, chapter 7; table 7.1 has the results without a trap for
division by zero and for the overflow of -2^31 / -1.
"""

from __future__ import annotations

from .insn import Insn
from .op import Op

RV32M: tuple[Insn, ...] = (
    Insn(
        Op.MUL, "mul rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0110011",
        "x[rd] = low 32 bits of x[rs1] * x[rs2]",
    ),
    Insn(
        Op.MULH, "mulh rd, rs1, rs2", "0000001 rs2 rs1 001 rd 0110011",
        "x[rd] = high 32 bits of x[rs1] * x[rs2] (both signed)",
    ),
    Insn(
        Op.MULHSU, "mulhsu rd, rs1, rs2", "0000001 rs2 rs1 010 rd 0110011",
        "x[rd] = high 32 bits of x[rs1] * x[rs2] (x[rs1] signed, x[rs2] unsigned)",
    ),
    Insn(
        Op.MULHU, "mulhu rd, rs1, rs2", "0000001 rs2 rs1 011 rd 0110011",
        "x[rd] = high 32 bits of x[rs1] * x[rs2] (both unsigned)",
    ),
    Insn(
        Op.DIV, "div rd, rs1, rs2", "0000001 rs2 rs1 100 rd 0110011",
        "x[rd] = x[rs1] / x[rs2] (signed, towards zero; by 0: -1; -2^31 / -1: -2^31)",
    ),
    Insn(
        Op.DIVU, "divu rd, rs1, rs2", "0000001 rs2 rs1 101 rd 0110011",
        "x[rd] = x[rs1] / x[rs2] (unsigned; by 0: 2^32 - 1)",
    ),
    Insn(
        Op.REM, "rem rd, rs1, rs2", "0000001 rs2 rs1 110 rd 0110011",
        "x[rd] = remainder of x[rs1] / x[rs2] (sign of x[rs1]; by 0: x[rs1]; -2^31 / -1: 0)",
    ),
    Insn(
        Op.REMU, "remu rd, rs1, rs2", "0000001 rs2 rs1 111 rd 0110011",
        "x[rd] = remainder of x[rs1] / x[rs2] (unsigned; by 0: x[rs1])",
    ),
)  # fmt: skip
