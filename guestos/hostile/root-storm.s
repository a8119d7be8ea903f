# root-storm.s: hundreds of address spaces, each used once, through MPRV.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    paging
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_S
    csrs mstatus, t0
    li   s5, 600
    csrr s6, satp
    li   s7, MSTATUS_MPRV
    li   s3, DATA
    add  s3, s3, s10
again:
    slli t0, s5, SATP_ASID_SHIFT
    li   t1, SATP_ASID
    and  t0, t0, t1
    xor  t0, t0, s6
    csrw satp, t0
    csrs mstatus, s7
    sw   s5, 0(s3)
    lw   t2, 0(s3)
    csrc mstatus, s7
    bne  t2, s5, hostile_fail
    addi s5, s5, -1
    bnez s5, again
    finish
