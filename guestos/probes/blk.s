# blk.s: virtio slots and the block device.
# Purpose: eight slots that say what they are; the disk's name, its errors, a sector that stays.
# Source: virtio 1.2, sections 4.2.2 (MMIO registers) and 5.2.6 (requests).  Mode: M.  Needs a disk
# of at least TEST_SECTOR + 1 sectors, whose sector TEST_SECTOR is left as it was.
# Entry points: probe_main, io_wait.

    .include "probes/probe.inc"
    .include "virtio.inc"

.equ TEST_SECTOR, 1
.equ PATTERN, 0x5a
.equ STATUS_ERROR, 1

# transfer TYPE, SECTOR, BUFFER: one request; the answer is in a0.
.macro transfer type, sector, buffer
    li   a0, \type
    li   a1, \sector
    la   a2, \buffer
    li   a3, SECTOR_SIZE
    call blk_transfer
.endm

    .globl io_wait

    probe_begin blk

    li   s0, VIRTIO_BASE
    li   s1, VIRTIO_SLOTS
1:  lw   s2, VIRTIO_MAGIC(s0)
    check s2, VIRTIO_MAGIC_VALUE
    lw   s2, VIRTIO_VERSION(s0)  # 1 or 2
    addi s2, s2, -VIRTIO_LEGACY
    sltiu s2, s2, VIRTIO_MODERN
    check s2, 1
    li   t0, VIRTIO_STRIDE
    add  s0, s0, t0
    addi s1, s1, -1
    bnez s1, 1b

    call blk_init
    check a0, 1
    load_word s0, blk_base
    check s0, VIRTIO_BASE        # the first slot is the first disk's
    load_word s0, blk_irq
    check s0, VIRTIO_IRQ
    call blk_sectors
    mv   s1, a0
    sltiu s0, s1, TEST_SECTOR + 1
    check s0, 0

    li   a0, BLK_GET_ID
    li   a1, 0
    la   a2, copy
    li   a3, BLK_ID_BYTES
    call blk_transfer
    check a0, BLK_STATUS_OK

    li   a0, BLK_READ            # behind the last sector
    mv   a1, s1
    la   a2, copy
    li   a3, SECTOR_SIZE
    call blk_transfer
    check a0, STATUS_ERROR

    transfer BLK_READ, TEST_SECTOR, before
    check a0, BLK_STATUS_OK
    la   a0, pattern
    li   a1, PATTERN
    li   a2, SECTOR_SIZE
    call mem_fill
    transfer BLK_WRITE, TEST_SECTOR, pattern
    check a0, BLK_STATUS_OK
    transfer BLK_READ, TEST_SECTOR, copy
    check a0, BLK_STATUS_OK
    la   a0, copy
    la   a1, pattern
    li   a2, SECTOR_SIZE
    call mem_equal
    check a0, 1
    transfer BLK_WRITE, TEST_SECTOR, before
    check a0, BLK_STATUS_OK
    tail probe_ok

# io_wait: ask again and again.
# In: none.  Out: none.  Clobbers: none.
io_wait:
    ret

    .section .bss
    .align 4
before:
    .space SECTOR_SIZE
pattern:
    .space SECTOR_SIZE
copy:
    .space SECTOR_SIZE
