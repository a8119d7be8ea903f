# tree-overwritten.s: the device tree overwritten, and its pointer followed everywhere.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    mv   s0, a1
    li   s1, RAM_END
again:
    sw   s1, 0(s0)
    addi s0, s0, WORD
    bltu s0, s1, again
    finish
