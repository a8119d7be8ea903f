# desc-overflow.s: addresses whose end wraps around 32 and 64 bits.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    li   s5, -16
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    li   t0, DESC_BYTES
    add  t0, t0, s1
    li   t1, -1
    sw   t1, DESC_ADDR+WORD(t0)
    kick 2
    li   t0, DESC_BYTES
    add  t0, t0, s1
    sw   s3, DESC_ADDR(t0)
    li   t1, 1
    sw   t1, DESC_ADDR+WORD(t0)
    kick 3
    blk_works
    finish
    .section .text
    blk_code
