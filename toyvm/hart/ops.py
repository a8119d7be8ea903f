"""Operation numbers of decoded words: those of the ISA table, and a few of the loop's own.

They are plain integers because Numba compares integers faster than it compiles enum members.
"""

from __future__ import annotations

from typing import Final

from toyvm.isa.op import Op

UNDECODED: Final = 0
"""The word has not been looked at, or was overwritten: decode it now."""

LUI: Final = int(Op.LUI)
AUIPC: Final = int(Op.AUIPC)
JAL: Final = int(Op.JAL)
JALR: Final = int(Op.JALR)
BEQ: Final = int(Op.BEQ)
BNE: Final = int(Op.BNE)
BLT: Final = int(Op.BLT)
BGE: Final = int(Op.BGE)
BLTU: Final = int(Op.BLTU)
BGEU: Final = int(Op.BGEU)
LB: Final = int(Op.LB)
LH: Final = int(Op.LH)
LW: Final = int(Op.LW)
LBU: Final = int(Op.LBU)
LHU: Final = int(Op.LHU)
SB: Final = int(Op.SB)
SH: Final = int(Op.SH)
SW: Final = int(Op.SW)
ADDI: Final = int(Op.ADDI)
SLTI: Final = int(Op.SLTI)
SLTIU: Final = int(Op.SLTIU)
XORI: Final = int(Op.XORI)
ORI: Final = int(Op.ORI)
ANDI: Final = int(Op.ANDI)
SLLI: Final = int(Op.SLLI)
SRLI: Final = int(Op.SRLI)
SRAI: Final = int(Op.SRAI)
ADD: Final = int(Op.ADD)
SUB: Final = int(Op.SUB)
SLL: Final = int(Op.SLL)
SLT: Final = int(Op.SLT)
SLTU: Final = int(Op.SLTU)
XOR: Final = int(Op.XOR)
SRL: Final = int(Op.SRL)
SRA: Final = int(Op.SRA)
OR: Final = int(Op.OR)
AND: Final = int(Op.AND)
FENCE: Final = int(Op.FENCE)
FENCE_I: Final = int(Op.FENCE_I)
ECALL: Final = int(Op.ECALL)
CSRRCI: Final = int(Op.CSRRCI)
MUL: Final = int(Op.MUL)
MULH: Final = int(Op.MULH)
MULHSU: Final = int(Op.MULHSU)
MULHU: Final = int(Op.MULHU)
DIV: Final = int(Op.DIV)
DIVU: Final = int(Op.DIVU)
REM: Final = int(Op.REM)
REMU: Final = int(Op.REMU)
LR_W: Final = int(Op.LR_W)
SC_W: Final = int(Op.SC_W)
AMOSWAP_W: Final = int(Op.AMOSWAP_W)
AMOADD_W: Final = int(Op.AMOADD_W)
AMOXOR_W: Final = int(Op.AMOXOR_W)
AMOAND_W: Final = int(Op.AMOAND_W)
AMOOR_W: Final = int(Op.AMOOR_W)
AMOMIN_W: Final = int(Op.AMOMIN_W)
AMOMAX_W: Final = int(Op.AMOMAX_W)
AMOMINU_W: Final = int(Op.AMOMINU_W)
AMOMAXU_W: Final = int(Op.AMOMAXU_W)
MRET: Final = int(Op.MRET)
SFENCE_VMA: Final = int(Op.SFENCE_VMA)

# Branches whose target lies in the same page: the immediate is a number of words.
BEQ_NEAR: Final = 71
BNE_NEAR: Final = 72
BLT_NEAR: Final = 73
BGE_NEAR: Final = 74
BLTU_NEAR: Final = 75
BGEU_NEAR: Final = 76
JAL_NEAR: Final = 77
PAGE_END: Final = 78
"""Entry 1024 of every decoded page: go on in the next page."""
STOP: Final = 79
"""A breakpoint, or the last step of the budget."""
ILLEGAL: Final = 80
SYSTEM: Final = 81
"""ecall to sfence.vma: the kernel `trap.system` takes the instruction itself."""
NOP: Final = 82
"""fence and fence.i: stores clear the decoded words they touch, so there is nothing to do."""

# How a decoded word is packed: | imm (63:32, signed) | rs2 (24:20) | rs1 (19:15) | rd (13:8) | op |
RD_SHIFT: Final = 8
RS1_SHIFT: Final = 15
RS2_SHIFT: Final = 20
SINK: Final = 32
"""Index of the register that takes what is written to x0."""
SLOT_ENTRIES: Final = 1025
"""Decoded words of a page and its PAGE_END."""
