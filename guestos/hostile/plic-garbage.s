# plic-garbage.s: loads and stores all over the PLIC.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, PLIC_BASE
    li   s1, PLIC_BASE + PLIC_SIZE
    li   s2, 0x1004
again:
    sw   s0, 0(s0)
    lw   t2, 0(s0)
    sh   s0, 2(s0)
    lbu  t2, 1(s0)
    add  s0, s0, s2
    bltu s0, s1, again
    finish
