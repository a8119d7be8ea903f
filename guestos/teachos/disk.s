# disk.s: what teachos keeps on its disk.
# Purpose: count starts and leave a time stamp in one sector; prove that it is there.
# Mode: S.
# Entry points: disk_boot.

    .include "abi.inc"
    .include "virtio.inc"

.equ RECORD_SECTOR, 0
.equ RECORD_MAGIC, 0
.equ RECORD_STARTS, RECORD_MAGIC + WORD
.equ RECORD_TIME, RECORD_STARTS + WORD   # mtime of the last start, two words
.equ RECORD_MAGIC_VALUE, 0x63616574      # "teac"

    .section .text
    .globl disk_boot

# disk_boot: read the record, change it, write it, read it again and compare.
# In: none.  Out: none; an error or another content: panic.  Clobbers: t0-t6, a0-a7.
disk_boot:
    prologue 1
    load_word t0, blk_base
    beqz t0, 3f
    li   a0, BLK_READ
    la   a2, record
    call transfer
    la   s0, record
    lw   t0, RECORD_MAGIC(s0)
    li   t1, RECORD_MAGIC_VALUE
    beq  t0, t1, 1f
    sw   t1, RECORD_MAGIC(s0)
    sw   zero, RECORD_STARTS(s0)
1:  lw   t0, RECORD_STARTS(s0)
    addi t0, t0, 1
    sw   t0, RECORD_STARTS(s0)
    call timer_now
    sw   a0, RECORD_TIME(s0)
    sw   a1, RECORD_TIME+WORD(s0)
    li   a0, BLK_WRITE
    la   a2, record
    call transfer
    li   a0, BLK_READ
    la   a2, copy
    call transfer
    la   a0, record
    la   a1, copy
    li   a2, SECTOR_SIZE
    call mem_equal
    beqz a0, 2f
    la   a0, text_disk
    call print_str
    call blk_sectors
    call print_dec
    la   a0, text_start
    call print_str
    lw   a0, RECORD_STARTS(s0)
    call print_dec
    la   a0, text_verified
    call print_str
    epilogue 1
2:  la   a0, text_differs
    tail panic
3:  la   a0, text_no_disk
    call print_str
    epilogue 1

# transfer: move the record's sector.
# In: a0 BLK_READ or BLK_WRITE, a2 buffer.  Out: none; an error: panic.  Clobbers: t0-t6, a0-a7.
transfer:
    prologue 0
    li   a1, RECORD_SECTOR
    li   a3, SECTOR_SIZE
    call blk_transfer
    bnez a0, 1f
    epilogue 0
1:  la   a0, text_error
    tail panic

    .section .rodata
text_disk:
    .asciz "teachos: disk of "
text_start:
    .asciz " sectors, start "
text_verified:
    .asciz " written and read again\n"
text_no_disk:
    .asciz "teachos: no disk\n"
text_differs:
    .asciz "the disk gives back another sector than was written"
text_error:
    .asciz "the disk reports an error"

    .section .bss
    .align 4
record:
    .space SECTOR_SIZE
copy:
    .space SECTOR_SIZE
