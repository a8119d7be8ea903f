# vq-size-zero.s: a queue of no descriptors.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    sw   zero, VIRTIO_QUEUE_NUM(s0)
    request
    kick 1
    blk_works
    finish
    .section .text
    blk_code
