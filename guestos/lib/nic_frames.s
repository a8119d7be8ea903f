# nic_frames.s: the virtio network device: frames in and out.
# Purpose: receive and send Ethernet frames, by polling; an interrupt only says "look".
# Mode: M, or S with slots and buffers mapped at their physical addresses.
# Entry points: nic_poll, nic_release, nic_send, nic_drain.

    .include "virtio.inc"
    .include "net.inc"
    .include "abi.inc"
    .include "lib/nic.inc"

    .section .text
    .globl nic_poll
    .globl nic_release
    .globl nic_send
    .globl nic_drain

# nic_poll: the next received frame; it is the caller's until nic_release.
# In: none.  Out: a0 frame or 0, a1 bytes.  Clobbers: t0-t4.
nic_poll:
    li   a0, 0
    load_word t0, nic_base
    beqz t0, 1f
    la   t0, nic_rx_queue + USED_PAGE
    lhu  t1, USED_INDEX(t0)
    load_word t2, nic_rx_seen
    beq  t1, t2, 1f
    fence                        # the index before what it announces
    andi t2, t2, QUEUE_MASK
    slli t2, t2, USED_SHIFT
    add  t0, t0, t2
    lw   t1, USED_RING(t0)       # the first descriptor of the pair
    lw   a1, USED_RING+WORD(t0)  # bytes, the header's too
    load_word t2, nic_header_bytes
    sub  a1, a1, t2
    la   a0, nic_rx_buffers
    slli t1, t1, NIC_BUFFER_SHIFT - 1
    add  a0, a0, t1
    addi a0, a0, NIC_BUFFER_FRAME
1:  ret

# nic_release: give the buffer of the frame from nic_poll back to the card.
# In: none.  Out: none.  Clobbers: t0-t4.
nic_release:
    la   t0, nic_rx_queue + USED_PAGE
    la   t1, nic_rx_seen
    lw   t2, 0(t1)
    andi t3, t2, QUEUE_MASK
    slli t3, t3, USED_SHIFT
    add  t0, t0, t3
    lw   t4, USED_RING(t0)
    addi t2, t2, 1               # the index has 16 bits
    slli t2, t2, 16
    srli t2, t2, 16
    sw   t2, 0(t1)
    la   t0, nic_rx_queue
    lhu  t1, AVAIL_INDEX(t0)
    andi t2, t1, QUEUE_MASK
    slli t2, t2, 1
    add  t2, t2, t0
    sh   t4, AVAIL_RING(t2)
    addi t1, t1, 1
    fence
    sh   t1, AVAIL_INDEX(t0)
    fence
    load_word t0, nic_base
    li   t1, NET_RX
    sw   t1, VIRTIO_QUEUE_NOTIFY(t0)
    ret

# nic_send: send a copy of a frame, padded with zeros to the least size of Ethernet.
# In: a0 frame, a1 bytes (at most FRAME_MAX).  Out: none.  Clobbers: t0-t6, a0-a7.
nic_send:
    prologue 2
    mv   s0, a0
    mv   s1, a1
    load_word t0, nic_base
    beqz t0, 2f
    call nic_drain               # the copy of the last one may still be under way
    la   a0, nic_tx_buffer + NIC_BUFFER_FRAME
    mv   a1, s0
    mv   a2, s1
    call mem_copy
    li   t0, FRAME_MIN
    bgeu s1, t0, 1f
    la   a0, nic_tx_buffer + NIC_BUFFER_FRAME
    add  a0, a0, s1
    li   a1, 0
    sub  a2, t0, s1
    call mem_fill
    li   s1, FRAME_MIN
1:  la   t0, nic_tx_queue
    sw   s1, DESC_FRAME+DESC_LEN(t0)
    lhu  t1, AVAIL_INDEX(t0)
    addi t1, t1, 1
    fence
    sh   t1, AVAIL_INDEX(t0)
    fence
    load_word t0, nic_base
    li   t1, NET_TX
    sw   t1, VIRTIO_QUEUE_NOTIFY(t0)
2:  epilogue 2

# nic_drain: wait until the card has sent everything (or is broken).
# In: none.  Out: none.  Clobbers: t0-t2.
nic_drain:
    load_word t0, nic_base
    beqz t0, 2f
1:  la   t1, nic_tx_queue
    lhu  t1, AVAIL_INDEX(t1)
    la   t2, nic_tx_queue + USED_PAGE
    lhu  t2, USED_INDEX(t2)
    beq  t1, t2, 2f
    lw   t1, VIRTIO_STATUS(t0)
    andi t1, t1, VIRTIO_NEEDS_RESET
    beqz t1, 1b
2:  ret
