# sbi-timer-storm.s: timers in the past, set again by each interrupt.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: S.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    .section .text
    .globl _start
_start:
    la   t0, tick
    csrw stvec, t0
    li   t0, SIE_STIE
    csrw sie, t0
    csrsi sstatus, SSTATUS_SIE
    li   a7, SBI_EXT_TIME
    li   a6, SBI_TIME_SET_TIMER
    li   a0, 0
    li   a1, 0
    ecall
again:
    wfi
    j    again
    .balign 4
tick:
    li   a7, SBI_EXT_TIME
    li   a6, SBI_TIME_SET_TIMER
    li   a0, 0
    li   a1, 0
    ecall
    sret
