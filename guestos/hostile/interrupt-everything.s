# interrupt-everything.s: all interrupts enabled, pending by software, delegated and not.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    li   t0, -1
    csrw mideleg, t0
    csrw mie, t0
    csrw mip, t0
    la   t0, hostile_skip
    csrw stvec, t0
    csrsi mstatus, MSTATUS_MIE | MSTATUS_SIE
    as_supervisor
again:
    j    again
    finish
