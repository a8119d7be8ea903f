"""Spellings that GNU as accepts beside the manual's: rows like those of toyvm.isa.pseudo."""

from __future__ import annotations

from toyvm.isa.pseudo import PSEUDOS, Pseudo

_IMMEDIATE_ALU = (("add", "addi"), ("and", "andi"), ("or", "ori"), ("xor", "xori"),
                  ("slt", "slti"), ("sltu", "sltiu"))  # fmt: skip
_SHIFTS = (("sll", "slli"), ("srl", "srli"), ("sra", "srai"))
_CSR = (("csrrw", "csrrwi"), ("csrrs", "csrrsi"), ("csrrc", "csrrci"))
_CSR_SHORT = (("csrw", "csrrwi"), ("csrs", "csrrsi"), ("csrc", "csrrci"))

ALIASES: tuple[Pseudo, ...] = (
    Pseudo("move rd, rs1", ("addi rd, rs1, 0",), "other name of mv"),
    Pseudo("sbreak", ("ebreak",), "old name of ebreak"),
    Pseudo("scall", ("ecall",), "old name of ecall"),
    Pseudo("jr rs1, imm", ("jalr zero, imm(rs1)",), "other spelling of jr imm(rs1)"),
    Pseudo("jalr rs1, imm", ("jalr ra, imm(rs1)",), "other spelling of jalr imm(rs1)"),
    Pseudo("jalr rd, rs1", ("jalr rd, 0(rs1)",), "other spelling of jalr rd, 0(rs1)"),
    *(
        Pseudo(f"{name} rd, rs1, imm", (f"{real} rd, rs1, imm",), f"other spelling of {real}")
        for name, real in _IMMEDIATE_ALU
    ),
    *(
        Pseudo(f"{name} rd, rs1, shamt", (f"{real} rd, rs1, shamt",), f"other spelling of {real}")
        for name, real in _SHIFTS
    ),
    *(
        Pseudo(f"{name} rd, csr, uimm", (f"{real} rd, csr, uimm",), f"other spelling of {real}")
        for name, real in _CSR
    ),
    *(
        Pseudo(f"{name} csr, uimm", (f"{real} zero, csr, uimm",), f"other spelling of {real}")
        for name, real in _CSR_SHORT
    ),
    Pseudo(
        "jump symbol, rt", ("auipc rt, %pcrel_hi(symbol)", "jalr zero, %pcrel_lo(symbol)(rt)"),
        "jump to any distance; changes rt", computed=True,
    ),
)  # fmt: skip

ROWS: tuple[Pseudo, ...] = PSEUDOS + ALIASES
"""Every pseudo-instruction that the assembler takes."""
