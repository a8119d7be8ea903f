# loop-supervisor.s: a supervisor whose vector is at address 0.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: S.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    .section .text
    .globl _start
_start:
    csrw stvec, zero
    lw   a0, 0(zero)
