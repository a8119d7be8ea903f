# vq-size-huge.s: queues larger than the device allows.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   t0, 65535
    sw   t0, VIRTIO_QUEUE_NUM(s0)
    kick 1
    li   t0, -1
    sw   t0, VIRTIO_QUEUE_NUM(s0)
    kick 2
    li   t0, 1 << 15
    sw   t0, VIRTIO_QUEUE_NUM(s0)
    kick 3
    blk_works
    finish
    .section .text
    blk_code
