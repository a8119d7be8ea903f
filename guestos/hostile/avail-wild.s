# avail-wild.s: heads in the available ring that are no descriptors.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    li   t0, AVAIL_RING
    add  t0, t0, s1
    li   t1, 65535
    sh   t1, 0(t0)
    li   t1, QUEUE_SIZE
    sh   t1, 2(t0)
    kick 2
    blk_works
    finish
    .section .text
    blk_code
