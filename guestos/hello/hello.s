# hello.s: the smallest guest.
# Purpose: print one line through the SBI firmware, then switch the machine off.
# Mode: S, at SBI_KERNEL_BASE.  In: a0 hart number, a1 address of the device tree.
# Entry points: _start.

    .include "sbi.inc"

    .section .text
    .globl _start

_start:
    la   t0, text
    la   t1, text_end
    sub  a0, t1, t0              # bytes
    mv   a1, t0                  # physical address, low word
    li   a2, 0                   # high word
    li   a7, SBI_EXT_DBCN
    li   a6, SBI_DBCN_WRITE
    ecall

    li   a0, SBI_SRST_SHUTDOWN
    li   a1, SBI_SRST_NO_REASON
    li   a7, SBI_EXT_SRST
    li   a6, SBI_SRST_RESET
    ecall
1:  j    1b                      # not reached

    .section .rodata
text:
    .ascii "hello from S-mode\n"
text_end:
