"""RV32I, the base integer instructions, and Zifencei.

Source: Unprivileged ISA 20211203, chapters 2 and 3.
"""

from __future__ import annotations

from .insn import Insn
from .op import Op

RV32I: tuple[Insn, ...] = (
    Insn(Op.LUI, "lui rd, imm", "imm[31:12] rd 0110111", "x[rd] = imm << 12"),
    Insn(Op.AUIPC, "auipc rd, imm", "imm[31:12] rd 0010111", "x[rd] = pc + (imm << 12)"),
    Insn(
        Op.JAL, "jal rd, imm", "imm[20|10:1|11|19:12] rd 1101111",
        "x[rd] = pc + 4; pc = pc + sext(imm)",
    ),
    Insn(
        Op.JALR, "jalr rd, imm(rs1)", "imm[11:0] rs1 000 rd 1100111",
        "t = pc + 4; pc = (x[rs1] + sext(imm)) & ~1; x[rd] = t",
    ),
    Insn(
        Op.BEQ, "beq rs1, rs2, imm", "imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011",
        "if x[rs1] == x[rs2]: pc = pc + sext(imm)",
    ),
    Insn(
        Op.BNE, "bne rs1, rs2, imm", "imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011",
        "if x[rs1] != x[rs2]: pc = pc + sext(imm)",
    ),
    Insn(
        Op.BLT, "blt rs1, rs2, imm", "imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011",
        "if x[rs1] < x[rs2] (signed): pc = pc + sext(imm)",
    ),
    Insn(
        Op.BGE, "bge rs1, rs2, imm", "imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011",
        "if x[rs1] >= x[rs2] (signed): pc = pc + sext(imm)",
    ),
    Insn(
        Op.BLTU, "bltu rs1, rs2, imm", "imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011",
        "if x[rs1] < x[rs2] (unsigned): pc = pc + sext(imm)",
    ),
    Insn(
        Op.BGEU, "bgeu rs1, rs2, imm", "imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011",
        "if x[rs1] >= x[rs2] (unsigned): pc = pc + sext(imm)",
    ),
    Insn(
        Op.LB, "lb rd, imm(rs1)", "imm[11:0] rs1 000 rd 0000011",
        "x[rd] = sext(M1[x[rs1] + sext(imm)])",
    ),
    Insn(
        Op.LH, "lh rd, imm(rs1)", "imm[11:0] rs1 001 rd 0000011",
        "x[rd] = sext(M2[x[rs1] + sext(imm)])",
    ),
    Insn(
        Op.LW, "lw rd, imm(rs1)", "imm[11:0] rs1 010 rd 0000011",
        "x[rd] = M4[x[rs1] + sext(imm)]",
    ),
    Insn(
        Op.LBU, "lbu rd, imm(rs1)", "imm[11:0] rs1 100 rd 0000011",
        "x[rd] = zext(M1[x[rs1] + sext(imm)])",
    ),
    Insn(
        Op.LHU, "lhu rd, imm(rs1)", "imm[11:0] rs1 101 rd 0000011",
        "x[rd] = zext(M2[x[rs1] + sext(imm)])",
    ),
    Insn(
        Op.SB, "sb rs2, imm(rs1)", "imm[11:5] rs2 rs1 000 imm[4:0] 0100011",
        "M1[x[rs1] + sext(imm)] = x[rs2] & 0xff",
    ),
    Insn(
        Op.SH, "sh rs2, imm(rs1)", "imm[11:5] rs2 rs1 001 imm[4:0] 0100011",
        "M2[x[rs1] + sext(imm)] = x[rs2] & 0xffff",
    ),
    Insn(
        Op.SW, "sw rs2, imm(rs1)", "imm[11:5] rs2 rs1 010 imm[4:0] 0100011",
        "M4[x[rs1] + sext(imm)] = x[rs2]",
    ),
    Insn(
        Op.ADDI, "addi rd, rs1, imm", "imm[11:0] rs1 000 rd 0010011",
        "x[rd] = x[rs1] + sext(imm)",
    ),
    Insn(
        Op.SLTI, "slti rd, rs1, imm", "imm[11:0] rs1 010 rd 0010011",
        "x[rd] = 1 if x[rs1] < sext(imm) (signed) else 0",
    ),
    Insn(
        Op.SLTIU, "sltiu rd, rs1, imm", "imm[11:0] rs1 011 rd 0010011",
        "x[rd] = 1 if x[rs1] < sext(imm) (unsigned) else 0",
    ),
    Insn(
        Op.XORI, "xori rd, rs1, imm", "imm[11:0] rs1 100 rd 0010011",
        "x[rd] = x[rs1] ^ sext(imm)",
    ),
    Insn(
        Op.ORI, "ori rd, rs1, imm", "imm[11:0] rs1 110 rd 0010011",
        "x[rd] = x[rs1] | sext(imm)",
    ),
    Insn(
        Op.ANDI, "andi rd, rs1, imm", "imm[11:0] rs1 111 rd 0010011",
        "x[rd] = x[rs1] & sext(imm)",
    ),
    Insn(
        Op.SLLI, "slli rd, rs1, shamt", "0000000 shamt rs1 001 rd 0010011",
        "x[rd] = x[rs1] << shamt",
    ),
    Insn(
        Op.SRLI, "srli rd, rs1, shamt", "0000000 shamt rs1 101 rd 0010011",
        "x[rd] = x[rs1] >> shamt (zeros shifted in)",
    ),
    Insn(
        Op.SRAI, "srai rd, rs1, shamt", "0100000 shamt rs1 101 rd 0010011",
        "x[rd] = x[rs1] >> shamt (sign shifted in)",
    ),
    Insn(Op.ADD, "add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011", "x[rd] = x[rs1] + x[rs2]"),
    Insn(Op.SUB, "sub rd, rs1, rs2", "0100000 rs2 rs1 000 rd 0110011", "x[rd] = x[rs1] - x[rs2]"),
    Insn(
        Op.SLL, "sll rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0110011",
        "x[rd] = x[rs1] << (x[rs2] & 31)",
    ),
    Insn(
        Op.SLT, "slt rd, rs1, rs2", "0000000 rs2 rs1 010 rd 0110011",
        "x[rd] = 1 if x[rs1] < x[rs2] (signed) else 0",
    ),
    Insn(
        Op.SLTU, "sltu rd, rs1, rs2", "0000000 rs2 rs1 011 rd 0110011",
        "x[rd] = 1 if x[rs1] < x[rs2] (unsigned) else 0",
    ),
    Insn(Op.XOR, "xor rd, rs1, rs2", "0000000 rs2 rs1 100 rd 0110011", "x[rd] = x[rs1] ^ x[rs2]"),
    Insn(
        Op.SRL, "srl rd, rs1, rs2", "0000000 rs2 rs1 101 rd 0110011",
        "x[rd] = x[rs1] >> (x[rs2] & 31) (zeros shifted in)",
    ),
    Insn(
        Op.SRA, "sra rd, rs1, rs2", "0100000 rs2 rs1 101 rd 0110011",
        "x[rd] = x[rs1] >> (x[rs2] & 31) (sign shifted in)",
    ),
    Insn(Op.OR, "or rd, rs1, rs2", "0000000 rs2 rs1 110 rd 0110011", "x[rd] = x[rs1] | x[rs2]"),
    Insn(Op.AND, "and rd, rs1, rs2", "0000000 rs2 rs1 111 rd 0110011", "x[rd] = x[rs1] & x[rs2]"),
    # fm, rs1 and rd are reserved for finer fences: implementations ignore them (section 2.7).
    Insn(
        Op.FENCE, "fence pred, succ", "fm pred succ rs1 000 rd 0001111",
        "accesses of the kinds in pred (i o r w) become visible before those in succ",
    ),
    # imm, rs1 and rd are reserved likewise (chapter 3).
    Insn(
        Op.FENCE_I, "fence.i", "imm[11:0] rs1 001 rd 0001111",
        "later instruction fetches see all earlier stores of this hart",
    ),
    Insn(
        Op.ECALL, "ecall", "000000000000 00000 000 00000 1110011",
        "trap: environment call from the current mode",
    ),
    Insn(
        Op.EBREAK, "ebreak", "000000000001 00000 000 00000 1110011",
        "trap: breakpoint",
    ),
)  # fmt: skip
