# virtio_run.s: one request through a virtqueue, to its end.
# Purpose: for probes, which fill descriptor 0 and what follows it by themselves.
# Mode: M, or S with slots and queues mapped at their physical addresses.
# Entry points: virtio_run, virtio_describe.

    .include "virtio.inc"
    .include "abi.inc"

.equ INDEX_SHIFT, 16             # indices of rings have 16 bits

    .section .text
    .globl virtio_run
    .globl virtio_describe

# virtio_describe: fill a descriptor.
# In: a0 queue memory, a1 number of the descriptor, a2 buffer, a3 bytes, a4 flags (the next one
# follows it).  Out: none.  Clobbers: t0, t1.
virtio_describe:
    slli t0, a1, DESC_SHIFT
    add  t0, t0, a0
    sw   a2, DESC_ADDR(t0)
    sw   zero, DESC_ADDR+WORD(t0)
    sw   a3, DESC_LEN(t0)
    sh   a4, DESC_FLAGS(t0)
    addi t1, a1, 1
    sh   t1, DESC_NEXT(t0)
    ret

# virtio_run: make descriptor 0 available, wait until the device has used it.
# In: a0 base, a1 queue memory, a2 queue number; nothing else is under way in this queue.
# Out: a0 bytes that the device says it has written.  Clobbers: t0-t2.
virtio_run:
    lhu  t0, AVAIL_INDEX(a1)     # every entry of the ring names descriptor 0, as cleared
    addi t0, t0, 1
    slli t0, t0, INDEX_SHIFT
    srli t0, t0, INDEX_SHIFT
    fence                        # the chain before the index
    sh   t0, AVAIL_INDEX(a1)
    fence                        # the index before the notification
    sw   a2, VIRTIO_QUEUE_NOTIFY(a0)
    li   t1, USED_PAGE
    add  t1, t1, a1
1:  lhu  t2, USED_INDEX(t1)
    bne  t2, t0, 1b
    fence                        # the index before what it announces
    addi t0, t0, -1
    andi t0, t0, QUEUE_MASK
    slli t0, t0, USED_SHIFT
    add  t1, t1, t0
    lw   a0, USED_RING+WORD(t1)
    ret
