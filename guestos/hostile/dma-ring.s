# dma-ring.s: a disk that is told to read over its own queue.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    desc 1, s1, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    request
    li   s5, USED_PAGE
    add  s5, s5, s1
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 2
    blk_works
    finish
    .section .text
    blk_code
