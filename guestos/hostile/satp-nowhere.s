# satp-nowhere.s: a root page table where no memory is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   t0, SATP_MODE | HOLE >> PAGE_SHIFT
    csrw satp, t0
    sfence.vma
    as_supervisor
    wants CAUSE_INSN_ACCESS_FAULT
    finish
