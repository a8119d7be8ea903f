# record.s: the appliance's record on its disk.
# Purpose: count requests where a power cut does not reach: one sector, written each time.
# Mode: M.
# Entry points: record_open, record_echo, record_arp, record_report.

    .include "platform.inc"
    .include "abi.inc"
    .include "virtio.inc"
    .include "appliance/appliance.inc"

    .section .text
    .globl record_open
    .globl record_echo
    .globl record_arp
    .globl record_report

# record_open: read the record, or start one on a disk that has none.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
record_open:
    prologue 1
    call blk_init
    beqz a0, 3f
    li   a0, BLK_READ
    call transfer
    la   s0, sector
    lw   t0, RECORD_MAGIC(s0)
    li   t1, RECORD_MAGIC_VALUE
    beq  t0, t1, 1f
    sw   t1, RECORD_MAGIC(s0)
    sw   zero, RECORD_ECHOS(s0)
    sw   zero, RECORD_ARPS(s0)
    sw   zero, RECORD_STARTS(s0)
1:  lw   t0, RECORD_STARTS(s0)
    addi t0, t0, 1
    sw   t0, RECORD_STARTS(s0)
    li   a0, BLK_WRITE
    call transfer
    la   a0, text_disk
    call print_str
    call blk_sectors
    call print_dec
    la   a0, text_start
    call print_str
    lw   a0, RECORD_STARTS(s0)
    call print_dec
    call print_newline
    epilogue 1
3:  la   a0, text_no_disk
    call print_str
    epilogue 1

# record_echo, record_arp: one more request, on the disk before the next frame is served.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
record_echo:
    add_word 1, sector+RECORD_ECHOS, t0, t1
    j    1f
record_arp:
    add_word 1, sector+RECORD_ARPS, t0, t1
1:  li   a0, BLK_WRITE

# transfer: the record's sector; without a disk nothing happens.
# In: a0 BLK_READ or BLK_WRITE.  Out: none.  Clobbers: t0-t6, a0-a7.
transfer:
    prologue 0
    load_word t0, blk_base
    beqz t0, 1f
    li   a1, RECORD_SECTOR
    la   a2, sector
    li   a3, SECTOR_SIZE
    call blk_transfer
    beqz a0, 1f
    la   a0, text_disk_error
    call print_str
1:  epilogue 0

# record_report: end the line about requests with what the disk says.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
record_report:
    prologue 0
    load_word t0, blk_base
    beqz t0, 1f
    la   a0, text_ever
    call print_str
    load_word a0, sector+RECORD_ECHOS
    call print_dec
    la   a0, text_and
    call print_str
    load_word a0, sector+RECORD_ARPS
    call print_dec
1:  call print_newline
    epilogue 0

    .section .rodata
text_disk:
    .asciz "appliance: disk of "
text_start:
    .asciz " sectors, start "
text_no_disk:
    .asciz "appliance: no disk, requests are not recorded\n"
text_disk_error:
    .asciz "appliance: the disk reports an error\n"
text_ever:
    .asciz "; on the disk "
text_and:
    .asciz " and "

    .section .bss
    .align 4
sector:
    .space SECTOR_SIZE
