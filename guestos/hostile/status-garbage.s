# status-garbage.s: every bit of mstatus written, and modes that do not exist.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s5, 32
    li   s6, 1
again:
    csrr s7, mstatus
    li   t0, MSTATUS_MIE | MSTATUS_MPRV
    xori t0, t0, -1
    and  t0, t0, s6
    csrw mstatus, t0
    csrr t2, mstatus
    li   t0, MSTATUS_MPP
    and  t2, t2, t0
    li   t0, 2 << MSTATUS_MPP_SHIFT
    beq  t2, t0, hostile_fail
    csrw mstatus, s7
    slli s6, s6, 1
    addi s5, s5, -1
    bnez s5, again
    finish
