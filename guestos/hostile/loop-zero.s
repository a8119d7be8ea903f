# loop-zero.s: a trap vector at address 0, where nothing is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    csrw mtvec, zero
    ecall
    finish
