# order-inverted.s: a request whose buffers have the wrong directions and the wrong order.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 0, s2, BLK_REQ_BYTES, DESC_F_NEXT | DESC_F_WRITE, 1
    desc 1, s3, SECTOR_SIZE, DESC_F_NEXT, 2
    desc 2, s4, 1, 0, 0
    kick 1
    request
    desc 0, s4, 1, DESC_F_NEXT | DESC_F_WRITE, 1
    desc 1, s2, BLK_REQ_BYTES, DESC_F_NEXT, 2
    desc 2, s3, SECTOR_SIZE, DESC_F_WRITE, 0
    kick 2
    blk_works
    finish
    .section .text
    blk_code
