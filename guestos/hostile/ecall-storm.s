# ecall-storm.s: system calls without end.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
again:
    ecall
    j    again
    finish
