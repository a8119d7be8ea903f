# wfi-far.s: waits for a timer at the end of time.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: idle

    .include "hostile/hostile.inc"

    begin
    li   t0, CLINT_BASE
    li   t1, CLINT_MTIMECMP
    add  t0, t0, t1
    li   t1, -1
    sw   t1, 0(t0)
    sw   t1, WORD(t0)
    li   t0, MIE_MTIE
    csrw mie, t0
again:
    wfi
    j    again
    finish
