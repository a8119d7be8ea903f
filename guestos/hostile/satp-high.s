# satp-high.s: a root page table with the largest page number there is.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   t0, -1
    csrw satp, t0
    sfence.vma
    as_supervisor
    wants CAUSE_INSN_ACCESS_FAULT
    finish
