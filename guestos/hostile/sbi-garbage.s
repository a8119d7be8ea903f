# sbi-garbage.s: calls of every firmware extension with wild arguments.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: S.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    .section .text
    .globl _start
_start:
    li   s0, 0
    li   s1, 2000
    li   s2, SPREAD
again:
    mv   a7, s0
    mv   a6, s1
    li   a0, -1
    mv   a1, s2
    li   a2, -1
    li   t0, SBI_LEGACY_SHUTDOWN
    beq  a7, t0, next
    ecall
next:
    add  s0, s0, s2
    andi t0, s1, 3
    bnez t0, 1f
    andi s0, s1, 127
1:  addi s1, s1, -1
    bnez s1, again
    li   a7, SBI_LEGACY_SHUTDOWN
    ecall
2:  j    2b
