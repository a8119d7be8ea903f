"""The instructions by number: every other table of the package is indexed by ``Op``."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """One member per instruction: the mnemonic in upper case, '.' written as '_'.

    The values are dense from 1, so an array of ``len(Op) + 1`` entries can be indexed by Op.
    Entry 0 of such an array means "no instruction".
    """

    # RV32I
    LUI = 1
    AUIPC = 2
    JAL = 3
    JALR = 4
    BEQ = 5
    BNE = 6
    BLT = 7
    BGE = 8
    BLTU = 9
    BGEU = 10
    LB = 11
    LH = 12
    LW = 13
    LBU = 14
    LHU = 15
    SB = 16
    SH = 17
    SW = 18
    ADDI = 19
    SLTI = 20
    SLTIU = 21
    XORI = 22
    ORI = 23
    ANDI = 24
    SLLI = 25
    SRLI = 26
    SRAI = 27
    ADD = 28
    SUB = 29
    SLL = 30
    SLT = 31
    SLTU = 32
    XOR = 33
    SRL = 34
    SRA = 35
    OR = 36
    AND = 37
    FENCE = 38
    FENCE_I = 39
    ECALL = 40
    EBREAK = 41
    # Zicsr
    CSRRW = 42
    CSRRS = 43
    CSRRC = 44
    CSRRWI = 45
    CSRRSI = 46
    CSRRCI = 47
    # RV32M
    MUL = 48
    MULH = 49
    MULHSU = 50
    MULHU = 51
    DIV = 52
    DIVU = 53
    REM = 54
    REMU = 55
    # RV32A
    LR_W = 56
    SC_W = 57
    AMOSWAP_W = 58
    AMOADD_W = 59
    AMOXOR_W = 60
    AMOAND_W = 61
    AMOOR_W = 62
    AMOMIN_W = 63
    AMOMAX_W = 64
    AMOMINU_W = 65
    AMOMAXU_W = 66
    # Privileged
    MRET = 67
    SRET = 68
    WFI = 69
    SFENCE_VMA = 70

    @property
    def mnemonic(self) -> str:
        """The spelling in assembly: ``Op.LR_W.mnemonic == "lr.w"``."""
        return self.name.lower().replace("_", ".")
