# table-loop.s: a root page table that is its own second level.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, ROOT, PTE_V
    paging
    as_supervisor
    # The second level's entry is a pointer again, and that is no leaf.
    li   s0, TEST_VA | (TEST_VA >> MEGAPAGE_SHIFT) << PAGE_SHIFT
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    sw   t2, 0(s0)
    wants CAUSE_STORE_PAGE_FAULT
    finish
