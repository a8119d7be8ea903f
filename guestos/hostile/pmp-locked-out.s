# pmp-locked-out.s: all memory locked away from M-mode itself.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    li   t0, -1
    csrw pmpaddr0, t0
    li   t0, PMP_L | PMP_NAPOT
    csrw pmpcfg0, t0
    nop
    finish
