# sector-huge.s: sectors beyond the end of the disk, up to 2^64.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    li   t0, 1 << 31
    sw   t0, BLK_REQ_SECTOR+WORD(s2)
    kick 1
    lbu  t2, 0(s4)
    beqz t2, hostile_fail
    request
    li   t0, -1
    sw   t0, BLK_REQ_SECTOR(s2)
    sw   t0, BLK_REQ_SECTOR+WORD(s2)
    kick 2
    lbu  t2, 0(s4)
    beqz t2, hostile_fail
    blk_works
    finish
    .section .text
    blk_code
