# request-unknown.s: request types that do not exist.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   s5, 30
again:
    request
    sw   s5, BLK_REQ_TYPE(s2)
    jal  hostile_blk_on
    request
    slli t0, s5, 4
    addi t0, t0, 3
    sw   t0, BLK_REQ_TYPE(s2)
    kick 1
    addi s5, s5, -1
    bnez s5, again
    blk_works
    finish
    .section .text
    blk_code
