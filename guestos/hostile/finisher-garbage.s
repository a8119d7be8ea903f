# finisher-garbage.s: values that the finisher does not know.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, FINISHER_BASE
    li   t1, 0x1234
    sw   t1, 0(s0)
    sw   zero, 0(s0)
    sb   t1, 1(s0)
    sw   t1, WORD(s0)
    lw   t2, 0(s0)
    finish
