# rng.s: the virtio entropy device.
# Purpose: what it offers, requests of several sizes, answers that differ.
# Source: virtio 1.2, section 5.4.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "virtio.inc"

.equ BYTES, 32
.equ HALF, BYTES / 2

# ask BUFFER, BYTES: a request; what the device says it has written is in s2.
.macro ask buffer, bytes
    la   a0, queue
    li   a1, 0
    la   a2, \buffer
    li   a3, \bytes
    li   a4, DESC_F_WRITE
    call virtio_describe
    mv   a0, s0
    la   a1, queue
    li   a2, 0
    call virtio_run
    mv   s2, a0
.endm

    probe_begin rng

    li   a0, VIRTIO_ID_RNG
    call virtio_find
    mv   s0, a0
    bnez s0, 1f
    say  "no device"
    tail probe_ok
1:  mv   a0, s0
    li   a1, 0
    call virtio_start
    mv   s1, a0
    show "features agreed", s1
    lw   s1, VIRTIO_CONFIG(s0)   # there is no configuration
    show "configuration", s1
    mv   a0, s0
    li   a1, 0
    la   a2, queue
    call virtio_queue
    mv   s1, a0
    show "queue", s1
    li   s1, 1                   # there is no second one
    sw   s1, VIRTIO_QUEUE_SEL(s0)
    lw   s1, VIRTIO_QUEUE_NUM_MAX(s0)
    show "second queue", s1
    mv   a0, s0
    call virtio_ready

    ask  first, BYTES
    show "written", s2
    ask  second, BYTES
    show "written", s2
    la   a0, first
    la   a1, second
    li   a2, BYTES
    call mem_equal
    mv   s2, a0
    show "the same twice", s2
    ask  second, 1
    show "written", s2

    la   a0, queue               # over two buffers
    li   a1, 0
    la   a2, first
    li   a3, HALF
    li   a4, DESC_F_WRITE | DESC_F_NEXT
    call virtio_describe
    la   a0, queue
    li   a1, 1
    la   a2, second
    li   a3, HALF
    li   a4, DESC_F_WRITE
    call virtio_describe
    mv   a0, s0
    la   a1, queue
    li   a2, 0
    call virtio_run
    mv   s2, a0
    show "written over two", s2
    lw   s2, VIRTIO_INTERRUPT_STATUS(s0)
    show "interrupt", s2
    mv   a0, s0
    call virtio_ack
    lw   s2, VIRTIO_INTERRUPT_STATUS(s0)
    show "acknowledged", s2
    tail probe_ok

    .section .bss
    .align PAGE_SHIFT
queue:
    .space QUEUE_BYTES
first:
    .space BYTES
second:
    .space BYTES
