# desc-loop.s: a chain that bites its tail.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 0, s2, BLK_REQ_BYTES, DESC_F_NEXT, 0
    kick 1
    request
    desc 1, s3, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 1
    kick 2
    blk_works
    finish
    .section .text
    blk_code
