# net.s: the virtio network card.
# Purpose: its address and link, a frame to everybody, commands through its control queue.
# Source: virtio 1.2, section 5.1.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "virtio.inc"

.equ WANTED, VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX
.equ FRAME_BYTES, 60
.equ HEADER_ROOM, 12
.equ MAC_BYTES, 6
.equ COMMAND_BYTES, 3            # class, command, value
.equ UNSET, 0xee

# set_up QUEUE, MEMORY: prepare a queue and say so.
.macro set_up number, memory
    mv   a0, s0
    li   a1, \number
    la   a2, \memory
    call virtio_queue
    mv   s1, a0
    show "queue", s1
.endm

# command CLASS, NUMBER, VALUE: through the control queue; say what the card answers.
.macro command class, number, value
    la   t0, request
    li   t1, \class
    sb   t1, 0(t0)
    li   t1, \number
    sb   t1, 1(t0)
    li   t1, \value
    sb   t1, 2(t0)
    call send_command
    show "answer", s1
.endm

    probe_begin net

    li   a0, VIRTIO_ID_NET
    call virtio_find
    mv   s0, a0
    bnez s0, 1f
    say  "no device"
    tail probe_ok
1:  mv   a0, s0
    li   a1, WANTED
    call virtio_start
    mv   s1, a0
    mv   s2, a1
    show "features agreed", s1
    show "features", s2
    li   s2, 0
2:  add  s1, s0, s2
    lbu  s1, NET_MAC(s1)
    show "address", s1
    addi s2, s2, 1
    li   t0, MAC_BYTES
    bltu s2, t0, 2b
    lhu  s1, NET_STATUS(s0)
    show "status", s1
    set_up NET_RX, rx_queue
    set_up NET_TX, tx_queue
    set_up NET_CONTROL, control_queue
    mv   a0, s0
    call virtio_ready

    lw   t0, VIRTIO_VERSION(s0)
    li   t1, VIRTIO_LEGACY
    li   a3, NET_HEADER_LEGACY + FRAME_BYTES
    beq  t0, t1, 3f
    li   a3, NET_HEADER_MODERN + FRAME_BYTES
3:  la   a0, tx_queue
    li   a1, 0
    la   a2, packet
    li   a4, 0
    call virtio_describe
    la   a0, packet              # to everybody: ff in all bytes will do
    addi a0, a0, NET_HEADER_MODERN
    li   a1, -1
    li   a2, FRAME_BYTES
    call mem_fill
    mv   a0, s0
    la   a1, tx_queue
    li   a2, NET_TX
    call virtio_run
    mv   s1, a0
    show "written", s1

    command 0, 0, 1              # promiscuous
    command 0, 0, 0
    command 0, 1, 1              # all multicast
    command 0, 99, 1             # there is no such command
    command 77, 0, 1             # nor such a class
    lw   s1, VIRTIO_STATUS(s0)
    andi s1, s1, VIRTIO_NEEDS_RESET
    show "needs reset", s1
    tail probe_ok

# send_command: the command in request, through the control queue.
# In: s0 base.  Out: s1 the answer.  Clobbers: t0-t6, a0-a7.
send_command:
    prologue 0
    la   t0, answer
    li   t1, UNSET
    sb   t1, 0(t0)
    la   a0, control_queue
    li   a1, 0
    la   a2, request
    li   a3, COMMAND_BYTES
    li   a4, DESC_F_NEXT
    call virtio_describe
    la   a0, control_queue
    li   a1, 1
    la   a2, answer
    li   a3, 1
    li   a4, DESC_F_WRITE
    call virtio_describe
    mv   a0, s0
    la   a1, control_queue
    li   a2, NET_CONTROL
    call virtio_run
    la   t0, answer
    lbu  s1, 0(t0)
    epilogue 0

    .section .bss
    .align PAGE_SHIFT
rx_queue:
    .space QUEUE_BYTES
tx_queue:
    .space QUEUE_BYTES
control_queue:
    .space QUEUE_BYTES
packet:
    .space HEADER_ROOM + FRAME_BYTES
request:
    .space COMMAND_BYTES
answer:
    .space 1
