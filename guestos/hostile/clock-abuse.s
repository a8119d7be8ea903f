# clock-abuse.s: time set forwards and backwards, deadlines at every edge.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, CLINT_BASE
    li   t1, CLINT_MTIME
    add  s1, s0, t1
    li   t1, CLINT_MTIMECMP
    add  s2, s0, t1
    li   s5, 200
    li   t2, -1
again:
    sw   t2, 0(s1)
    sw   t2, WORD(s1)
    sw   zero, 0(s2)
    sw   t2, WORD(s2)
    sw   zero, 0(s1)
    sw   zero, WORD(s1)
    sw   t2, 0(s2)
    lw   t1, 0(s1)
    addi s5, s5, -1
    bnez s5, again
    sw   t2, WORD(s2)
    finish
