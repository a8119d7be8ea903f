# dma-device.s: a disk that is told to read into devices and holes.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    li   s5, UART0_BASE
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    request
    li   s5, RAM_END - 16
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 2
    request
    li   s5, RAM_BASE - 16
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 3
    blk_works
    finish
    .section .text
    blk_code
