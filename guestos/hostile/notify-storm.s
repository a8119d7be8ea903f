# notify-storm.s: notifications of queues that have nothing, or do not exist.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   s5, 4000
again:
    sw   zero, VIRTIO_QUEUE_NOTIFY(s0)
    sw   s5, VIRTIO_QUEUE_NOTIFY(s0)
    addi s5, s5, -1
    bnez s5, again
    blk_works
    finish
    .section .text
    blk_code
