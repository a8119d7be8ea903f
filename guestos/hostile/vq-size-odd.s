# vq-size-odd.s: a queue whose size is no power of two.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   t0, 3
    sw   t0, VIRTIO_QUEUE_NUM(s0)
    request
    kick 7
    blk_works
    finish
    .section .text
    blk_code
