"""The privileged instructions.

Source: Privileged Architecture 20211203, sections 3.3 and 4.2.
"""

from __future__ import annotations

from .insn import Insn
from .op import Op

PRIV: tuple[Insn, ...] = (
    Insn(
        Op.MRET, "mret", "0011000 00010 00000 000 00000 1110011",
        "return from a trap to M: pc = mepc, mode = MPP, MIE = MPIE, MPIE = 1, MPP = U",
    ),
    Insn(
        Op.SRET, "sret", "0001000 00010 00000 000 00000 1110011",
        "return from a trap to S: pc = sepc, mode = SPP, SIE = SPIE, SPIE = 1, SPP = U",
    ),
    Insn(
        Op.WFI, "wfi", "0001000 00101 00000 000 00000 1110011",
        "wait until an enabled interrupt is pending",
    ),
    Insn(
        Op.SFENCE_VMA, "sfence.vma rs1, rs2", "0001001 rs2 rs1 000 00000 1110011",
        "forget translations of the address x[rs1] in address space x[rs2]; x0 means all",
    ),
)  # fmt: skip
