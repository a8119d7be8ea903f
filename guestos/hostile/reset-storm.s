# reset-storm.s: resets between every two steps of a request.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   s5, 20
again:
    request
    sw   zero, VIRTIO_STATUS(s0)
    kick 1
    jal  hostile_blk_on
    kick 1
    sw   zero, VIRTIO_STATUS(s0)
    sw   s5, VIRTIO_STATUS(s0)
    addi s5, s5, -1
    bnez s5, again
    blk_works
    finish
    .section .text
    blk_code
