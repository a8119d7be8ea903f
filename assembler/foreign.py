"""Words of other machines and assemblers, and what to write here instead."""

from __future__ import annotations

RV64_ONLY = frozenset(
    ["ld", "sd", "lwu", "addw", "subw", "addiw", "sllw", "srlw", "sraw", "slliw", "srliw",
     "sraiw", "mulw", "divw", "divuw", "remw", "remuw", "negw", "sext.w", "lr.d", "sc.d"]
)  # fmt: skip
"""Instructions that need 64-bit registers."""

ELSEWHERE = {
    "uret": "belongs to the withdrawn N extension: user-mode traps; this machine has `sret`",
    "hret": "was withdrawn from the privileged architecture; there are `sret` and `mret`",
    "dret": "belongs to debug mode, which this machine has not",
    "sfence.vm": "is the old name of `sfence.vma`",
    "pause": "belongs to Zihintpause; here `nop` does",
    "zext.w": "is an instruction of RV64; registers here have 32 bits",
    "la.tls.gd": "is about thread-local storage, which programs here have not",
    "la.tls.ie": "is about thread-local storage, which programs here have not",
    "lga": "needs a global offset table, which programs here have not; `la` loads an address",
}
"""RISC-V instructions that this machine has not, and why."""

FOREIGN = {
    # x86
    "mov": "`mv` copies a register, `li` loads a number, `lw` and `sw` reach memory",
    "cmp": "branches compare by themselves: blt a0, a1, label",
    "jmp": "`j` jumps to a label, `jr` to the address in a register",
    "je": "`beq` compares two registers and branches",
    "jne": "`bne` compares two registers and branches",
    "jz": "`beqz` branches if a register is 0",
    "jnz": "`bnez` branches if a register is not 0",
    "jl": "`blt` compares two registers and branches",
    "jg": "`bgt` compares two registers and branches",
    "push": "addi sp, sp, -16 and sw a0, 0(sp) put a register on the stack",
    "pop": "lw a0, 0(sp) and addi sp, sp, 16 take a register from the stack",
    "inc": "addi a0, a0, 1",
    "dec": "addi a0, a0, -1",
    "int": "`ecall` asks the system",
    "muli": "`mul` takes registers only: li t0, 3 and then mul with t0",
    "hlt": "`wfi` waits for an interrupt",
    "lea": "`la` loads the address of a label",
    "shl": "`sll` and `slli` shift to the left",
    "shr": "`srl` and `srli` shift to the right",
    "sar": "`sra` and `srai` shift to the right and keep the sign",
    "imul": "`mul` multiplies",
    # MIPS
    "addiu": "`addi` does not trap on overflow here: use it",
    "addu": "`add` does not trap on overflow here: use it",
    "subu": "`sub` does not trap on overflow here: use it",
    "subi": "addi with the negative number",
    "syscall": "`ecall` asks the system",
    "mult": "`mul` gives the low word of a product, `mulh` the high word",
    "mflo": "`mul` and `div` write their result into a register",
    "mfhi": "`mulh` and `rem` write their result into a register",
    "mfc0": "`csrr` reads a control and status register",
    "mtc0": "`csrw` writes a control and status register",
    "eret": "`mret` and `sret` return from a trap",
    "b": "`j` jumps to a label",
    "bal": "`jal` calls a near function, `call` any",
    # ARM
    "bl": "`call` calls a function",
    "bx": "`jr` jumps to the address in a register; `ret` returns",
    "ldr": "`lw` loads a word: lw a0, 0(a1)",
    "str": "`sw` stores a word: sw a0, 0(a1)",
    "ldrb": "`lbu` loads a byte",
    "strb": "`sb` stores a byte",
    "lsl": "`sll` and `slli` shift to the left",
    "lsr": "`srl` and `srli` shift to the right",
    "asr": "`sra` and `srai` shift to the right and keep the sign",
    "eor": "`xor`",
    "orr": "`or`",
    "mvn": "`not` inverts all bits",
    "svc": "`ecall` asks the system",
    "swi": "`ecall` asks the system",
}
"""Mnemonics of x86, MIPS and ARM, and what does the same here."""
