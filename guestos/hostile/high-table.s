# high-table.s: a pointer to a page table beyond 32 bits of address.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   t0, (1 << 20 | RAM_BASE >> PAGE_SHIFT) << PTE_PPN_SHIFT & PTE_PPN | PTE_V
    li   t1, TEST_ENTRY
    add  t1, t1, s10
    li   t2, 3 << 30
    or   t0, t0, t2
    sw   t0, 0(t1)
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    finish
