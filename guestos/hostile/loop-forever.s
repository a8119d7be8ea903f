# loop-forever.s: an endless loop with interrupts off.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    csrci mstatus, MSTATUS_MIE
again:
    j    again
    finish
