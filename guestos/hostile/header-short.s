# header-short.s: a request without a header, or with a part of one.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 0, s2, 1, 0, 0
    kick 1
    desc 0, s4, 1, DESC_F_WRITE, 0
    kick 2
    request
    desc 0, s2, BLK_REQ_BYTES - 1, DESC_F_NEXT, 1
    kick 3
    blk_works
    finish
    .section .text
    blk_code
