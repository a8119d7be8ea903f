# sbi_console.s: the console of kernels that print through SBI.
# Purpose: console_putc for lib/print.s; gathers a line and hands it over in one call.
# Mode: S, with memory mapped at its physical addresses.
# Entry points: console_putc, console_flush, console_write.

    .include "abi.inc"
    .include "sbi.inc"

.equ LINE_BYTES, 128
.equ NOT_PROBED, 2               # states of has_dbcn; else 0 or 1

    .section .text
    .globl console_putc
    .globl console_flush
    .globl console_write

# console_putc: one byte; the line goes out at its end or when it is full.
# In: a0 byte.  Out: none.  Clobbers: t0-t6, a0-a7.
console_putc:
    la   t0, line_length
    lw   t1, 0(t0)
    la   t2, line
    add  t2, t2, t1
    sb   a0, 0(t2)
    addi t1, t1, 1
    sw   t1, 0(t0)
    li   t2, '\n'
    beq  a0, t2, console_flush
    li   t2, LINE_BYTES
    beq  t1, t2, console_flush
    ret

# console_flush: hand over what console_putc has gathered.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
console_flush:
    la   t0, line_length
    lw   a1, 0(t0)
    sw   zero, 0(t0)
    la   a0, line

# console_write: bytes at once, by DBCN if the firmware has it, else one by one.
# In: a0 physical address, a1 bytes.  Out: none.  Clobbers: t0-t6, a0-a7.
console_write:
    prologue 2
    mv   s0, a0
    add  s1, a0, a1
    la   t0, has_dbcn
    lw   t1, 0(t0)
    li   t2, NOT_PROBED
    bne  t1, t2, 1f
    li   a0, SBI_EXT_DBCN
    call sbi_probe
    la   t0, has_dbcn
    snez t1, a0
    sw   t1, 0(t0)
1:  bgeu s0, s1, 3f
    beqz t1, 2f
    mv   a0, s0
    sub  a1, s1, s0
    call sbi_write
    bnez a0, 3f                  # refused: there is nowhere to complain
    add  s0, s0, a1
    li   t1, 1
    j    1b
2:  lbu  a0, 0(s0)
    addi s0, s0, 1
    call sbi_putchar
    li   t1, 0
    j    1b
3:  epilogue 2

    .section .data
    .align 2
has_dbcn:
    .word NOT_PROBED

    .section .bss
    .align 2
line_length:
    .space WORD
line:
    .space LINE_BYTES
