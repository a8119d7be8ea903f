# vq-align.s: rings whose parts overlap.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   t0, 1
    sw   t0, VIRTIO_QUEUE_ALIGN(s0)
    srli t1, s1, PAGE_SHIFT
    sw   t1, VIRTIO_QUEUE_PFN(s0)
    request
    kick 1
    sw   zero, VIRTIO_QUEUE_ALIGN(s0)
    kick 2
    li   t0, 3
    sw   t0, VIRTIO_QUEUE_ALIGN(s0)
    kick 3
    blk_works
    finish
    .section .text
    blk_code
