# nic-storm.s: broadcasts with other cards' addresses, and VLAN tags in VLAN tags.
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
    li   t0, NET_TX
    sw   t0, VIRTIO_QUEUE_SEL(s0)
    li   t1, QUEUE_SIZE
    sw   t1, VIRTIO_QUEUE_NUM(s0)
    srli t0, s1, PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    addi s3, s2, NET_HEADER_LEGACY
    li   t0, 0x0081
    sh   t0, NET_HEADER_LEGACY+12(s2)
    sh   t0, NET_HEADER_LEGACY+16(s2)
    desc 0, s2, NET_HEADER_LEGACY + 60, 0, 0
    li   s5, 300
again:
    # To everybody or to somebody, from somebody else each time.
    li   t0, -1
    sh   t0, 0(s3)
    sh   t0, 2(s3)
    sh   s5, 4(s3)
    sh   s5, 6(s3)
    sh   s5, 8(s3)
    li   t0, AVAIL
    add  t0, t0, s1
    lhu  t1, 2(t0)
    addi t1, t1, 1
    sh   t1, 2(t0)
    li   t1, NET_TX
    sw   t1, VIRTIO_QUEUE_NOTIFY(s0)
    addi s5, s5, -1
    bnez s5, again
    finish
    .section .text
    blk_code
