# nic-sizes.s: frames of no bytes, of 13 and of 65,550.
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
    jal  nic_on
    desc 0, s2, 0, 0, 0
    jal  send
    desc 0, s2, NET_HEADER_LEGACY, 0, 0
    jal  send
    desc 0, s2, NET_HEADER_LEGACY + 13, 0, 0
    jal  send
    # Beyond this guest's memory as well.
    desc 0, s2, NET_HEADER_LEGACY + 65550, 0, 0
    jal  send
    desc 0, s2, 1514, DESC_F_WRITE, 0
    jal  send
    j    over
send:
    li   t0, AVAIL
    add  t0, t0, s1
    lhu  t1, 2(t0)
    addi t1, t1, 1
    sh   t1, 2(t0)
    li   t1, NET_TX
    sw   t1, VIRTIO_QUEUE_NOTIFY(s0)
    ret
nic_on:
    mv   s7, ra
    jal  hostile_blk_on
    li   t0, NET_TX
    sw   t0, VIRTIO_QUEUE_SEL(s0)
    li   t1, QUEUE_SIZE
    sw   t1, VIRTIO_QUEUE_NUM(s0)
    srli t0, s1, PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    jr   s7
over:
    finish
    .section .text
    blk_code
