# vq-nowhere.s: a queue where no memory is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   t0, HOLE >> PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    kick 1
    li   t0, -1
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    kick 2
    li   t0, UART0_BASE >> PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    kick 3
    blk_works
    finish
    .section .text
    blk_code
