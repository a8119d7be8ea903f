# desc-next-wild.s: a chain that leaves the table.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 0, s2, BLK_REQ_BYTES, DESC_F_NEXT, QUEUE_SIZE
    kick 1
    desc 0, s2, BLK_REQ_BYTES, DESC_F_NEXT, 65535
    kick 2
    blk_works
    finish
    .section .text
    blk_code
