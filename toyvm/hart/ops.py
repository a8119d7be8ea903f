"""Operation codes of decoded words: what the loop dispatches on.

There are exactly 64, and the loop has an arm for each: then the compiler needs no range check
before its jump table.  Where the ISA has more (SYSTEM, atomics, what is illegal or not decoded
yet) the code is RARE and the immediate says which event it raises.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.isa.op import Op

RARE: Final = 0
"""So a zeroed entry is a RARE word with event 0: not decoded."""
LUI: Final = 1
AUIPC: Final = 2
JAL: Final = 3
JALR: Final = 4
BEQ: Final = 5
BNE: Final = 6
BLT: Final = 7
BGE: Final = 8
BLTU: Final = 9
BGEU: Final = 10
# Branches whose target lies in the same page: the immediate is a number of words.
BEQ_NEAR: Final = 11
BNE_NEAR: Final = 12
BLT_NEAR: Final = 13
BGE_NEAR: Final = 14
BLTU_NEAR: Final = 15
BGEU_NEAR: Final = 16
JAL_NEAR: Final = 17
PAGE_END: Final = 18
"""Entry 1024 of every decoded page: go on in the next page."""
LB: Final = 19
LH: Final = 20
LW: Final = 21
LBU: Final = 22
LHU: Final = 23
SB: Final = 24
SH: Final = 25
SW: Final = 26
ADDI: Final = 27
SLTI: Final = 28
SLTIU: Final = 29
XORI: Final = 30
ORI: Final = 31
ANDI: Final = 32
SLLI: Final = 33
SRLI: Final = 34
SRAI: Final = 35
ADD: Final = 36
SUB: Final = 37
SLL: Final = 38
SLT: Final = 39
SLTU: Final = 40
XOR: Final = 41
SRL: Final = 42
SRA: Final = 43
OR: Final = 44
AND: Final = 45
MUL: Final = 46
MULH: Final = 47
MULHSU: Final = 48
MULHU: Final = 49
DIV: Final = 50
DIVU: Final = 51
REM: Final = 52
REMU: Final = 53
NOP: Final = 54
"""fence and fence.i: stores clear the decoded words they touch, so nothing is left to do."""
# Pairs: the first instruction, then the second one if it still stands in the next entry.
ADDI_BNE: Final = 55
ADDI_BGE: Final = 56
ADD_BLT: Final = 57
ADD_BLTU: Final = 58
ANDI_BEQ: Final = 59
SLLI_ADD: Final = 60
ADD_LW: Final = 61
ADDI_ADDI: Final = 62
LUI_ADDI: Final = 63

# How a decoded word is packed: | imm (63:32, signed) | rd | rs2 | rs1 | code |, a byte each.
RS1_SHIFT: Final = 8
RS2_SHIFT: Final = 16
RD_SHIFT: Final = 24
SINK: Final = 32
"""Index of the register that takes what is written to x0."""
SLOT_ENTRIES: Final = 1025
"""Decoded words of a page and its PAGE_END."""

COVERED: Final = 1 << 7
"""Bit of a decoded word (no part of its code): translated machine code was made from it."""
# The PAGE_END of a page counts in bits 31:8 how often covered words were overwritten.
VERSION: Final = 1 << 8
VERSION_MASK: Final = 0xFFFF_FF00

# Behind the slots: the table of translated regions (hart/translate), one row for each.
REGION_ROWS: Final = 512
REGION_ROW: Final = 16
"""Entries of a row: address of the code, pages, hits, steps, then three for each page: its
distance from the home page in bytes, its first decoded word, and what its PAGE_END must be."""
REGION_PAGES: Final = 4
REGION_HITS: Final = 2
REGION_STEPS: Final = 3
REGION_COPIES: Final = 64
"""Copies of TLB entries that a region may use; behind them are as many 32-bit counters."""
REGION_CACHE: Final = REGION_COPIES + REGION_COPIES // 2
"""Entries of scratch memory of a row; that of all rows is behind the table."""
REGION_CACHES: Final = REGION_ROWS * REGION_ROW
REGION_TABLE: Final = REGION_CACHES + REGION_ROWS * REGION_CACHE
# The decoded word of a region's head: RARE, event REGION, row above it, then the head's page.
REGION_ROW_SHIFT: Final = 40
REGION_PAGE_SHIFT: Final = 50
REGION_EVENT: Final = 10
REGION_WORD: Final = REGION_EVENT << 32
REGION_WORD_MASK: Final = 0xFF_0000_003F

# Instructions that are named by their number in the ISA table.
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
OP_ECALL: Final = int(Op.ECALL)
OP_CSRRCI: Final = int(Op.CSRRCI)
OP_MRET: Final = int(Op.MRET)
OP_SFENCE_VMA: Final = int(Op.SFENCE_VMA)

_SAME = {
    Op.LUI: LUI,
    Op.AUIPC: AUIPC,
    Op.JAL: JAL,
    Op.JALR: JALR,
    Op.BEQ: BEQ,
    Op.BNE: BNE,
    Op.BLT: BLT,
    Op.BGE: BGE,
    Op.BLTU: BLTU,
    Op.BGEU: BGEU,
    Op.LB: LB,
    Op.LH: LH,
    Op.LW: LW,
    Op.LBU: LBU,
    Op.LHU: LHU,
    Op.SB: SB,
    Op.SH: SH,
    Op.SW: SW,
    Op.ADDI: ADDI,
    Op.SLTI: SLTI,
    Op.SLTIU: SLTIU,
    Op.XORI: XORI,
    Op.ORI: ORI,
    Op.ANDI: ANDI,
    Op.SLLI: SLLI,
    Op.SRLI: SRLI,
    Op.SRAI: SRAI,
    Op.ADD: ADD,
    Op.SUB: SUB,
    Op.SLL: SLL,
    Op.SLT: SLT,
    Op.SLTU: SLTU,
    Op.XOR: XOR,
    Op.SRL: SRL,
    Op.SRA: SRA,
    Op.OR: OR,
    Op.AND: AND,
    Op.MUL: MUL,
    Op.MULH: MULH,
    Op.MULHSU: MULHSU,
    Op.MULHU: MULHU,
    Op.DIV: DIV,
    Op.DIVU: DIVU,
    Op.REM: REM,
    Op.REMU: REMU,
    Op.FENCE: NOP,
    Op.FENCE_I: NOP,
}
CODE_OF: Final = np.array([_SAME.get(Op(i), RARE) if i else RARE for i in range(len(Op) + 1)])
"""int64[Op]: the loop's code of an instruction, RARE if it has none."""
