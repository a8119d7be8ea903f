# wipe-ram.s: stores zeros over its own memory, itself included.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    li   s0, RAM_BASE
    li   s1, RAM_BASE + (1 << 17)
again:
    addi s1, s1, -4
    sw   zero, 0(s1)
    bgtu s1, s0, again
    finish
