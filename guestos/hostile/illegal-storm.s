# illegal-storm.s: illegal instructions without end.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
again:
    .word 0xffffffff
    .word 0
    csrw mvendorid, zero
    j    again
    finish
