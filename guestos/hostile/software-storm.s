# software-storm.s: a software interrupt that is never taken back.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    li   t0, CLINT_BASE
    li   t1, 1
    sw   t1, CLINT_MSIP(t0)
    li   t0, MIE_MSIE
    csrs mie, t0
    csrsi mstatus, MSTATUS_MIE
again:
    j    again
    finish
