# blk.s: the virtio block device, one request at a time.
# Purpose: read and write sectors.  How to wait for the device is the kernel's business: it
# provides io_wait, which is called until the request is done.
# Mode: M, or S with slots and buffers mapped at their physical addresses.
# Entry points: blk_init, blk_sectors, blk_transfer; blk_base and blk_irq (0 without a disk).

    .include "virtio.inc"
    .include "abi.inc"

# The chain of a request: header, data, status.
.equ DESC_HEADER, 0 * DESC_BYTES
.equ DESC_DATA, 1 * DESC_BYTES
.equ DESC_STATUS, 2 * DESC_BYTES
.equ STATUS_UNSET, 0xff

    .section .text
    .globl blk_init
    .globl blk_sectors
    .globl blk_transfer
    .globl blk_base
    .globl blk_irq

# blk_init: find the disk and prepare it.
# In: none.  Out: a0 = 1, or 0 if there is none that works.  Clobbers: t0-t6, a1-a7.
blk_init:
    prologue 2
    li   a0, VIRTIO_ID_BLK
    call virtio_find
    beqz a0, 1f
    mv   s0, a0
    mv   s1, a1
    li   a1, 0                   # no features: plain reads and writes
    call virtio_start
    bnez a0, 2f
    mv   a0, s0
    li   a1, 0
    la   a2, queue
    call virtio_queue
    bnez a0, 2f
    call fill_chain
    mv   a0, s0
    call virtio_ready
    store_word s0, blk_base, t0
    store_word s1, blk_irq, t0
    la   t0, used_seen
    sw   zero, 0(t0)
    li   a0, 1
1:  epilogue 2
2:  li   a0, 0
    epilogue 2

# fill_chain: the parts of the three descriptors that never change.
# In: none.  Out: none.  Clobbers: t0-t2.
fill_chain:
    la   t0, queue
    la   t1, header
    sw   t1, DESC_HEADER+DESC_ADDR(t0)
    li   t1, BLK_REQ_BYTES
    sw   t1, DESC_HEADER+DESC_LEN(t0)
    li   t1, DESC_F_NEXT
    sh   t1, DESC_HEADER+DESC_FLAGS(t0)
    li   t1, 1
    sh   t1, DESC_HEADER+DESC_NEXT(t0)
    li   t1, 2
    sh   t1, DESC_DATA+DESC_NEXT(t0)
    la   t1, status
    sw   t1, DESC_STATUS+DESC_ADDR(t0)
    li   t1, 1
    sw   t1, DESC_STATUS+DESC_LEN(t0)
    li   t1, DESC_F_WRITE
    sh   t1, DESC_STATUS+DESC_FLAGS(t0)
    ret

# blk_sectors: the size of the disk.
# In: none (there is a disk).  Out: a0 sectors (low word).  Clobbers: none.
blk_sectors:
    load_word a0, blk_base
    lw   a0, BLK_CAPACITY(a0)
    ret

# blk_transfer: one request, to its end.
# In: a0 BLK_READ, BLK_WRITE or BLK_GET_ID, a1 sector, a2 buffer, a3 bytes.
# Out: a0 = 0, or the device's error, or -1 if the device is broken or absent.
# Clobbers: t0-t6, a1-a7.
blk_transfer:
    prologue 1
    load_word s0, blk_base
    beqz s0, 3f
    la   t0, header
    sw   a0, BLK_REQ_TYPE(t0)
    sw   zero, BLK_REQ_RESERVED(t0)
    sw   a1, BLK_REQ_SECTOR(t0)
    sw   zero, BLK_REQ_SECTOR+WORD(t0)
    la   t0, status
    li   t1, STATUS_UNSET
    sb   t1, 0(t0)
    la   t0, queue
    sw   a2, DESC_DATA+DESC_ADDR(t0)
    sw   a3, DESC_DATA+DESC_LEN(t0)
    li   t1, DESC_F_NEXT         # what is written to the disk, the device reads
    li   t2, BLK_WRITE
    beq  a0, t2, 1f
    li   t1, DESC_F_NEXT | DESC_F_WRITE
1:  sh   t1, DESC_DATA+DESC_FLAGS(t0)

    lhu  t1, AVAIL_INDEX(t0)     # every entry of the ring names descriptor 0, as cleared
    addi t1, t1, 1
    fence                        # the chain before the index
    sh   t1, AVAIL_INDEX(t0)
    fence                        # the index before the notification
    sw   zero, VIRTIO_QUEUE_NOTIFY(s0)

2:  li   t0, USED_PAGE
    la   t1, queue
    add  t0, t0, t1
    lhu  t1, USED_INDEX(t0)
    la   t2, used_seen
    lw   t3, 0(t2)
    bne  t1, t3, 4f
    lw   t1, VIRTIO_STATUS(s0)
    andi t1, t1, VIRTIO_NEEDS_RESET
    bnez t1, 3f
    call io_wait
    j    2b
3:  li   a0, -1
    epilogue 1

4:  sw   t1, 0(t2)
    fence                        # the index before what it announces
    la   t0, status
    lbu  a0, 0(t0)
    epilogue 1

    .section .bss
    .align PAGE_SHIFT
queue:
    .space QUEUE_BYTES
header:
    .space BLK_REQ_BYTES
blk_base:
    .space WORD
blk_irq:
    .space WORD
used_seen:                       # the used index up to which requests are done
    .space WORD
status:
    .space WORD
