# code-twice.s: one code page at two addresses, changed through one and run through the other.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    points TABLE + PTE_SIZE, DATA, LEAF
    li   s0, DATA
    add  s0, s0, s10
    li   t0, INSN_RET
    sw   t0, 4(s0)
    li   s3, TEST_VA
    li   s4, TEST_VA + PAGE
    li   s5, 100
    paging
    as_supervisor
again:
    andi t1, s5, 63
    slli t1, t1, 20
    li   t2, INSN_LI_A0
    or   t2, t2, t1
    sw   t2, 0(s3)
    fence.i
    jalr ra, 0(s4)
    andi t1, s5, 63
    bne  a0, t1, hostile_fail
    addi s5, s5, -1
    bnez s5, again
    finish
