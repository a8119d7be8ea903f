# table-protected.s: page tables that PMP does not let the walk read or mark.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, PTE_V | PTE_R | PTE_W
    # One page, read only: the walk reads the entry and cannot set A.
    li   t0, TABLE
    add  t0, t0, s10
    srli t0, t0, 2
    ori  t0, t0, (PAGE >> 3) - 1
    csrw pmpaddr0, t0
    csrwi pmpcfg0, PMP_NAPOT | PMP_R
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    sw   t2, 0(s0)
    wants CAUSE_STORE_ACCESS_FAULT
    finish
