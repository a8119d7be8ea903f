# self-modifying.s: code that rewrites the next instruction, with fence.i.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, 500
again:
    la   t0, patched
    andi t1, s0, 1
    slli t1, t1, 20
    li   t2, INSN_LI_A0
    or   t2, t2, t1
    sw   t2, 0(t0)
    fence.i
patched:
    li   a0, 5
    andi t1, s0, 1
    bne  a0, t1, hostile_fail
    addi s0, s0, -1
    bnez s0, again
    finish
