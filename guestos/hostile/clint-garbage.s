# clint-garbage.s: stores of every width to every register of the CLINT.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, CLINT_BASE
    li   s1, CLINT_BASE + CLINT_SIZE
again:
    sw   s0, 0(s0)
    sb   s0, 1(s0)
    sh   s0, 2(s0)
    lw   t2, 0(s0)
    addi s0, s0, 64
    bltu s0, s1, again
    finish
