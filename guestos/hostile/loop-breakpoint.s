# loop-breakpoint.s: a trap handler that is a breakpoint.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    la   t0, bad
    csrw mtvec, t0
    ecall
    .balign 4
bad:
    ebreak
    finish
