# resize-live.s: the queue's size and place changed while it is in use.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    kick 1
    li   t0, 4
    sw   t0, VIRTIO_QUEUE_NUM(s0)
    kick 2
    sw   zero, VIRTIO_QUEUE_PFN(s0)
    kick 3
    li   t0, 7
    sw   t0, VIRTIO_QUEUE_SEL(s0)
    kick 4
    blk_works
    finish
    .section .text
    blk_code
