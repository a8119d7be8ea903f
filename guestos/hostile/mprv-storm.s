# mprv-storm.s: loads and stores with another mode's rights, switched all the time.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    paging
    li   s5, 300
    li   s3, DATA
    add  s3, s3, s10
again:
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_S | MSTATUS_MPRV
    csrs mstatus, t0
    sw   s5, 0(s3)
    amoadd.w t2, s5, (s3)
    lw   t2, 2(s3)
    li   t0, MSTATUS_MPP | MSTATUS_MPRV
    csrc mstatus, t0
    # As U-mode: these pages are the kernel's.
    li   t0, MSTATUS_MPRV
    csrs mstatus, t0
    lw   t2, 0(s3)
    li   t0, MSTATUS_MPRV
    csrc mstatus, t0
    wants CAUSE_LOAD_PAGE_FAULT
    addi s5, s5, -1
    bnez s5, again
    finish
