# desc-indirect.s: indirect descriptors that were never agreed on, one within another.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
.equ DESC_F_INDIRECT, 4
    blk_on
    request
    desc 0, s1, QUEUE_SIZE * DESC_BYTES, DESC_F_INDIRECT, 0
    kick 1
    desc 0, s1, 7, DESC_F_INDIRECT | DESC_F_NEXT, 1
    kick 2
    blk_works
    finish
    .section .text
    blk_code
