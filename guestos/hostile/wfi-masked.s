# wfi-masked.s: waits for an interrupt with all interrupts masked.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: idle

    .include "hostile/hostile.inc"

    begin
    csrw mie, zero
    csrci mstatus, MSTATUS_MIE
again:
    wfi
    j    again
    finish
