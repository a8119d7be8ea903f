# nic.s: the virtio network device: its memory and its start.
# Purpose: find the card, give it the queues and all the receive buffers.
# Mode: M, or S with slots and buffers mapped at their physical addresses.
# Entry points: nic_init; nic_base, nic_irq (0 without a card) and nic_mac; the rest of the
# memory is nic_frames.s's.

    .include "virtio.inc"
    .include "net.inc"
    .include "abi.inc"
    .include "lib/nic.inc"

    .section .text
    .globl nic_init
    .globl nic_base
    .globl nic_irq
    .globl nic_mac
    .globl nic_rx_queue
    .globl nic_tx_queue
    .globl nic_rx_buffers
    .globl nic_tx_buffer
    .globl nic_header_bytes
    .globl nic_rx_seen

# nic_init: find the card, prepare it and give it all receive buffers.
# In: none.  Out: a0 = 1, or 0 if there is none that works.  Clobbers: t0-t6, a1-a7.
nic_init:
    prologue 3
    li   a0, VIRTIO_ID_NET
    call virtio_find
    beqz a0, 4f
    mv   s0, a0
    mv   s1, a1
    li   a1, VIRTIO_NET_F_MAC
    call virtio_start
    bnez a0, 3f
    beqz a1, 3f                  # a card without an address is of no use here
    la   t0, nic_mac
    addi t1, s0, NET_MAC
    li   t2, MAC_BYTES
1:  lbu  t3, 0(t1)
    sb   t3, 0(t0)
    addi t0, t0, 1
    addi t1, t1, 1
    addi t2, t2, -1
    bnez t2, 1b

    lw   t0, VIRTIO_VERSION(s0)
    li   t1, VIRTIO_LEGACY
    li   s2, NET_HEADER_LEGACY
    beq  t0, t1, 2f
    li   s2, NET_HEADER_MODERN
2:  store_word s2, nic_header_bytes, t0
    mv   a0, s0
    li   a1, NET_RX
    la   a2, nic_rx_queue
    call virtio_queue
    bnez a0, 3f
    mv   a0, s0
    li   a1, NET_TX
    la   a2, nic_tx_queue
    call virtio_queue
    bnez a0, 3f
    call fill_queues
    mv   a0, s0
    call virtio_ready
    li   t0, NET_RX
    sw   t0, VIRTIO_QUEUE_NOTIFY(s0)
    store_word s0, nic_base, t0
    store_word s1, nic_irq, t0
    li   a0, 1
    epilogue 3
3:  li   a0, 0
4:  epilogue 3

# fill_queues: receive descriptors in pairs, all of them available; the pair for sending.
# In: s2 bytes of the virtio header.  Out: none.  Clobbers: t0-t6.
fill_queues:
    la   t0, nic_rx_queue            # the pair's descriptors
    la   t1, nic_rx_buffers
    la   t2, nic_rx_queue            # minus AVAIL_RING: the ring's entry
    li   t3, 0                   # the pair's first descriptor
1:  sw   t1, DESC_ADDR(t0)
    sw   s2, DESC_LEN(t0)
    li   t4, DESC_F_NEXT | DESC_F_WRITE
    sh   t4, DESC_FLAGS(t0)
    addi t4, t3, 1
    sh   t4, DESC_NEXT(t0)
    addi t4, t1, NIC_BUFFER_FRAME
    sw   t4, DESC_FRAME+DESC_ADDR(t0)
    li   t4, NIC_FRAME_SPACE
    sw   t4, DESC_FRAME+DESC_LEN(t0)
    li   t4, DESC_F_WRITE
    sh   t4, DESC_FRAME+DESC_FLAGS(t0)
    sh   t3, AVAIL_RING(t2)
    addi t0, t0, 2*DESC_BYTES
    li   t4, NIC_BUFFER_BYTES
    add  t1, t1, t4
    addi t2, t2, 2
    addi t3, t3, 2
    li   t4, QUEUE_SIZE
    bne  t3, t4, 1b
    la   t0, nic_rx_queue
    li   t1, NIC_BUFFERS
    fence
    sh   t1, AVAIL_INDEX(t0)
    store_word zero, nic_rx_seen, t0

    la   t0, nic_tx_queue            # every entry of the ring names descriptor 0, as cleared
    la   t1, nic_tx_buffer
    sw   t1, DESC_ADDR(t0)
    sw   s2, DESC_LEN(t0)
    li   t2, DESC_F_NEXT
    sh   t2, DESC_FLAGS(t0)
    li   t2, 1
    sh   t2, DESC_NEXT(t0)
    addi t1, t1, NIC_BUFFER_FRAME
    sw   t1, DESC_FRAME+DESC_ADDR(t0)
    ret

    .section .bss
    .align PAGE_SHIFT
nic_rx_queue:
    .space QUEUE_BYTES
nic_tx_queue:
    .space QUEUE_BYTES
nic_rx_buffers:
    .space NIC_BUFFERS * NIC_BUFFER_BYTES
nic_tx_buffer:
    .space NIC_BUFFER_BYTES
nic_base:
    .space WORD
nic_irq:
    .space WORD
nic_header_bytes:                    # of the virtio header
    .space WORD
nic_rx_seen:                         # the used index up to which frames were released
    .space WORD
nic_mac:
    .space 2*WORD
