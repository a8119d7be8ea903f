# dma-code.s: a disk that is told to read over code that has just run.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   s5, SPARE
    add  s5, s5, s10
    li   t0, INSN_RET
    sw   t0, 0(s5)
    sw   t0, SECTOR_SIZE(s5)
    fence.i
    jalr ra, 0(s5)
    equal s9, NO_CAUSE
    request
    desc 1, s5, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    fence.i
    # Zeros now: 128 illegal instructions, then the return behind them.
    li   s11, 0
    jalr ra, 0(s5)
    equal s11, SECTOR_SIZE / 4
    blk_works
    finish
    .section .text
    blk_code
