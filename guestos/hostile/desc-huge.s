# desc-huge.s: descriptors of 4 GiB less one byte.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 1, s3, -1, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    request
    desc 0, s2, -1, DESC_F_NEXT, 1
    kick 2
    blk_works
    finish
    .section .text
    blk_code
