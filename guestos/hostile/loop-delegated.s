# loop-delegated.s: all traps delegated to a supervisor whose vector is not mapped.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    paging
    li   t0, -1
    csrw medeleg, t0
    csrw mideleg, t0
    li   t0, HOLE
    csrw stvec, t0
    as_supervisor
    ebreak
    finish
