# desc-empty.s: descriptors of no length.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 0, s2, 0, DESC_F_NEXT, 1
    kick 1
    request
    desc 1, s3, 0, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 2
    request
    desc 2, s4, 0, DESC_F_WRITE, 0
    kick 3
    blk_works
    finish
    .section .text
    blk_code
