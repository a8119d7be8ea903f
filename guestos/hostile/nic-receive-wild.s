# nic-receive-wild.s: receive buffers that are no memory, read-only, or loops.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, VIRTIO_BASE
    li   t0, QUEUE
    add  s1, s10, t0
    li   t0, BUFFER
    add  s2, s10, t0
    jal  hostile_blk_on
    li   s5, HOLE
    desc 0, s5, 2048, DESC_F_WRITE, 0
    desc 1, s2, 2048, 0, 0
    desc 2, s2, 2048, DESC_F_WRITE | DESC_F_NEXT, 2
    li   t0, AVAIL_RING
    add  t0, t0, s1
    li   t1, 1
    sh   t1, 2(t0)
    li   t1, 2
    sh   t1, 4(t0)
    kick 3
    finish
    .section .text
    blk_code
