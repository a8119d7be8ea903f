# ebreak-storm.s: breakpoints without end, for a debugger that may be there.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
again:
    ebreak
    j    again
    finish
