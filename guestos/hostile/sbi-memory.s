# sbi-memory.s: the firmware's console told to read and write where no memory is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: S.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    .section .text
    .globl _start
_start:
    li   s1, 64
    li   s2, 0
again:
    li   a7, SBI_EXT_DBCN
    li   a6, SBI_DBCN_WRITE
    li   a0, -1
    mv   a1, s2
    mv   a2, s1
    ecall
    bgtz a0, fail
    li   a7, SBI_EXT_DBCN
    li   a6, SBI_DBCN_READ
    li   a0, -1
    mv   a1, s2
    li   a2, 3
    ecall
    li   t0, 1 << 26
    add  s2, s2, t0
    addi s1, s1, -1
    bnez s1, again
    li   a7, SBI_LEGACY_SHUTDOWN
    ecall
fail:
    j    fail
