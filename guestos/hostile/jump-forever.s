# jump-forever.s: an endless jump from page to page.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    li   t0, DATA
    add  s0, s10, t0
    li   t0, INSN_JR_S1
    li   t1, INSN_JR_S2
    sw   t0, 0(s0)
    li   t2, PAGE
    add  s2, s0, t2
    sw   t0, 0(s0)
    sw   t1, 0(s2)
    mv   s1, s2
    mv   s2, s0
    fence.i
    jr   s1
    finish
