# csr-writes.s: every one of the 4096 CSR numbers written from U-mode.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    as_user
    li   s5, 4095
again:
    la   t0, patched
    slli t1, s5, 20
    li   t2, INSN_CSRW_T1
    or   t1, t1, t2
    sw   t1, 0(t0)
    fence.i
    li   t1, -1
patched:
    csrw mscratch, t1
    addi s5, s5, -1
    bgez s5, again
    finish
