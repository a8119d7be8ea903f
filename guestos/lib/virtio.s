# virtio.s: what every virtio-mmio driver does.
# Purpose: find a device, agree on features, set up queues; legacy and modern transport.
# Mode: M, or S with slots and queues mapped at their physical addresses.
# Entry points: virtio_find, virtio_start, virtio_queue, virtio_ready, virtio_ack.

    .include "platform.inc"
    .include "virtio.inc"
    .include "abi.inc"

    .section .text
    .globl virtio_find
    .globl virtio_start
    .globl virtio_queue
    .globl virtio_ready
    .globl virtio_ack

# virtio_find: the first slot with a device of a kind.
# In: a0 device id.  Out: a0 base address or 0, a1 interrupt source.  Clobbers: t0-t4.
virtio_find:
    mv   t0, a0
    li   a0, VIRTIO_BASE
    li   a1, VIRTIO_IRQ
    li   t4, VIRTIO_IRQ + VIRTIO_SLOTS
1:  lw   t1, VIRTIO_MAGIC(a0)
    li   t2, VIRTIO_MAGIC_VALUE
    bne  t1, t2, 2f
    lw   t1, VIRTIO_VERSION(a0)
    li   t2, VIRTIO_LEGACY
    bltu t1, t2, 2f
    li   t2, VIRTIO_MODERN
    bgtu t1, t2, 2f
    lw   t1, VIRTIO_DEVICE_ID(a0)
    beq  t1, t0, 3f
2:  li   t1, VIRTIO_STRIDE
    add  a0, a0, t1
    addi a1, a1, 1
    bne  a1, t4, 1b
    li   a0, 0
3:  ret

# virtio_start: reset the device and agree on features.
# In: a0 base, a1 features wanted (word 0).
# Out: a0 = 0 and a1 features agreed on (word 0); or a0 = -1.  Clobbers: t0-t2.
virtio_start:
    sw   zero, VIRTIO_STATUS(a0)
    li   t0, VIRTIO_ACKNOWLEDGE
    sw   t0, VIRTIO_STATUS(a0)
    li   t0, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER
    sw   t0, VIRTIO_STATUS(a0)
    sw   zero, VIRTIO_DEVICE_FEATURES_SEL(a0)
    lw   t1, VIRTIO_DEVICE_FEATURES(a0)
    and  a1, a1, t1
    sw   zero, VIRTIO_DRIVER_FEATURES_SEL(a0)
    sw   a1, VIRTIO_DRIVER_FEATURES(a0)
    lw   t0, VIRTIO_VERSION(a0)
    li   t1, VIRTIO_MODERN
    beq  t0, t1, 1f

    li   t0, PAGE_SIZE
    sw   t0, VIRTIO_GUEST_PAGE_SIZE(a0)
    li   a0, 0
    ret

1:  li   t0, 1                   # word 1 of the features
    sw   t0, VIRTIO_DEVICE_FEATURES_SEL(a0)
    lw   t1, VIRTIO_DEVICE_FEATURES(a0)
    andi t1, t1, VIRTIO_F_VERSION_1
    beqz t1, 2f
    sw   t0, VIRTIO_DRIVER_FEATURES_SEL(a0)
    sw   t1, VIRTIO_DRIVER_FEATURES(a0)
    li   t0, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK
    sw   t0, VIRTIO_STATUS(a0)
    lw   t1, VIRTIO_STATUS(a0)
    andi t1, t1, VIRTIO_FEATURES_OK
    beqz t1, 2f                  # the device does not accept the choice
    li   a0, 0
    ret
2:  li   a0, -1
    ret

# virtio_queue: clear a queue's memory and give it to the device.
# In: a0 base, a1 queue, a2 memory (QUEUE_BYTES, page-aligned).
# Out: a0 = 0, or -1 if the device's queue is too small.  Clobbers: t0, t1, a1, a2.
virtio_queue:
    prologue 2
    mv   s0, a0
    mv   s1, a2
    sw   a1, VIRTIO_QUEUE_SEL(s0)
    lw   t0, VIRTIO_QUEUE_NUM_MAX(s0)
    li   t1, QUEUE_SIZE
    bltu t0, t1, 2f
    mv   a0, s1
    li   a1, 0
    li   a2, QUEUE_BYTES
    call mem_fill
    li   t1, QUEUE_SIZE
    sw   t1, VIRTIO_QUEUE_NUM(s0)
    lw   t0, VIRTIO_VERSION(s0)
    li   t1, VIRTIO_MODERN
    beq  t0, t1, 1f

    li   t0, PAGE_SIZE
    sw   t0, VIRTIO_QUEUE_ALIGN(s0)
    srli t0, s1, PAGE_SHIFT
    sw   t0, VIRTIO_QUEUE_PFN(s0)
    li   a0, 0
    epilogue 2

1:  sw   s1, VIRTIO_QUEUE_DESC_LOW(s0)
    sw   zero, VIRTIO_QUEUE_DESC_HIGH(s0)
    addi t0, s1, AVAIL
    sw   t0, VIRTIO_QUEUE_DRIVER_LOW(s0)
    sw   zero, VIRTIO_QUEUE_DRIVER_HIGH(s0)
    li   t0, USED_PAGE
    add  t0, t0, s1
    sw   t0, VIRTIO_QUEUE_DEVICE_LOW(s0)
    sw   zero, VIRTIO_QUEUE_DEVICE_HIGH(s0)
    li   t0, 1
    sw   t0, VIRTIO_QUEUE_READY(s0)
    li   a0, 0
    epilogue 2
2:  li   a0, -1
    epilogue 2

# virtio_ready: the driver is ready, the device may work.
# In: a0 base.  Out: none.  Clobbers: t0.
virtio_ready:
    lw   t0, VIRTIO_STATUS(a0)
    ori  t0, t0, VIRTIO_DRIVER_OK
    sw   t0, VIRTIO_STATUS(a0)
    ret

# virtio_ack: answer the device's interrupt.
# In: a0 base.  Out: none.  Clobbers: t0.
virtio_ack:
    lw   t0, VIRTIO_INTERRUPT_STATUS(a0)
    sw   t0, VIRTIO_INTERRUPT_ACK(a0)
    ret
