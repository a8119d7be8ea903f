# header-split.s: a header in one-byte pieces, which is allowed.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    # Twelve bytes in twelve descriptors, the last four in one.
    li   s5, 0
    mv   s6, s2
1:  slli t0, s5, DESC_SHIFT
    add  t0, t0, s1
    sw   s6, DESC_ADDR(t0)
    sw   zero, DESC_ADDR+WORD(t0)
    li   t1, 1
    sw   t1, DESC_LEN(t0)
    sh   t1, DESC_FLAGS(t0)
    addi s5, s5, 1
    sh   s5, DESC_NEXT(t0)
    addi s6, s6, 1
    li   t1, 12
    bne  s5, t1, 1b
    desc 12, s6, 4, DESC_F_NEXT, 13
    desc 13, s3, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 14
    desc 14, s4, 1, DESC_F_WRITE, 0
    kick 1
    lbu  t2, 0(s4)
    bnez t2, hostile_fail
    blk_works
    finish
    .section .text
    blk_code
