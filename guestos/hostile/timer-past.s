# timer-past.s: a timer interrupt whose deadline has passed and stays so.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    li   t0, CLINT_BASE
    li   t1, CLINT_MTIMECMP
    add  t0, t0, t1
    sw   zero, 0(t0)
    sw   zero, WORD(t0)
    li   t0, MIE_MTIE
    csrs mie, t0
    csrsi mstatus, MSTATUS_MIE
again:
    j    again
    finish
