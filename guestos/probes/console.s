# console.s: the virtio console.
# Purpose: what it offers, a line through its queue, a byte without one.
# Source: virtio 1.2, section 5.3.  Mode: M.  Port 0 alone: several ports are not asked for.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "virtio.inc"

    probe_begin console

    li   a0, VIRTIO_ID_CONSOLE
    call virtio_find
    mv   s0, a0
    bnez s0, 1f
    say  "no device"
    tail probe_ok
1:  li   s1, 'E'                 # before any driver is there
    sw   s1, CONSOLE_EMERG_WR(s0)
    mv   a0, s0
    li   a1, VIRTIO_CONSOLE_F_EMERG_WRITE
    call virtio_start
    mv   s1, a0
    mv   s2, a1
    show "features agreed", s1
    show "features", s2
    lhu  s1, VIRTIO_CONFIG(s0)
    show "columns", s1
    lw   s1, CONSOLE_EMERG_WR(s0)
    show "emergency", s1
    li   s3, CONSOLE_RX
    la   s4, rx_queue
    call set_up
    li   s3, CONSOLE_TX
    la   s4, tx_queue
    call set_up
    mv   a0, s0
    call virtio_ready

    la   a0, tx_queue
    li   a1, 0
    la   a2, line
    la   a3, line_end
    sub  a3, a3, a2
    li   a4, 0
    call virtio_describe
    mv   a0, s0
    la   a1, tx_queue
    li   a2, CONSOLE_TX
    call virtio_run
    mv   s1, a0
    show "written", s1
    lw   s1, VIRTIO_INTERRUPT_STATUS(s0)
    show "interrupt", s1
    mv   a0, s0
    call virtio_ack
    lw   s1, VIRTIO_STATUS(s0)
    andi s1, s1, VIRTIO_NEEDS_RESET
    show "needs reset", s1
    tail probe_ok

# set_up: prepare a queue and say so.
# In: s0 base, s3 queue, s4 its memory.  Out: none.  Clobbers: t0-t6, a0-a7, s1.
set_up:
    prologue 0
    mv   a0, s0
    mv   a1, s3
    mv   a2, s4
    call virtio_queue
    mv   s1, a0
    show "queue", s1
    epilogue 0

    .section .rodata
line:
    .ascii "a line, and \303\244\n"
line_end:

    .section .bss
    .align PAGE_SHIFT
rx_queue:
    .space QUEUE_BYTES
tx_queue:
    .space QUEUE_BYTES
