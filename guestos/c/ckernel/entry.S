# entry.S: where every hart starts, in M-mode. One stack a hart, then start() in start.c.
    .section .text.entry, "ax"
    .globl _start
_start:
    csrr t0, mhartid
    li   t1, 8                  # NCPU
    bgeu t0, t1, park
    la   sp, stack0
    li   a0, 4096
    addi t0, t0, 1
    mul  a0, a0, t0
    add  sp, sp, a0
    call start
park:
    wfi
    j    park
