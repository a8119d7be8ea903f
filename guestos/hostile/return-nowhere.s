# return-nowhere.s: returns to addresses where nothing is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    csrw mepc, zero
    la   ra, 1f
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    mret
1:  wants CAUSE_INSN_ACCESS_FAULT
    csrw sepc, zero
    la   ra, 1f
    sret
1:  wants CAUSE_INSN_ACCESS_FAULT
    finish
