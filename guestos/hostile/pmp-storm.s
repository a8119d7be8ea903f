# pmp-storm.s: protection changed before every access.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s5, 300
again:
    csrw pmpaddr0, s5
    andi t0, s5, 0x1f
    csrw pmpcfg0, t0
    slli t0, s5, 8
    csrw pmpcfg1, t0
    csrw pmpaddr4, s5
    sw   s5, 0(s10)
    lw   t2, 0(s10)
    bne  t2, s5, hostile_fail
    addi s5, s5, -1
    bnez s5, again
    finish
