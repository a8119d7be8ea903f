# vq-at-end.s: a queue in the last page of memory, its used ring beyond it.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    li   s5, RAM_END - PAGE
    srli t0, s5, PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    mv   s6, s1
    mv   s1, s5
    request
    kick 1
    mv   s1, s6
    blk_works
    finish
    .section .text
    blk_code
