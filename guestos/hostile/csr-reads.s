# csr-reads.s: every one of the 4096 CSR numbers read, in M-, S- and U-mode.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s6, 3
mode:
    li   s5, 4095
again:
    la   t0, patched
    slli t1, s5, 20
    li   t2, INSN_CSRR_T1
    or   t1, t1, t2
    sw   t1, 0(t0)
    fence.i
patched:
    csrr t1, mscratch
    addi s5, s5, -1
    bgez s5, again
    addi s6, s6, -1
    beqz s6, over
    li   t0, 1
    beq  s6, t0, user
    as_supervisor
    j    mode
user:
    # From S-mode there is no way to U-mode but sret.
    li   t0, SSTATUS_SPP
    csrc sstatus, t0
    la   t0, mode
    csrw sepc, t0
    sret
over:
    finish
