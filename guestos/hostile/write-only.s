# write-only.s: entries with W and without R, and non-leaf entries with reserved bits.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, PTE_V | PTE_W | PTE_A | PTE_D
    points ROOT + TEST_ENTRY + PTE_SIZE, TABLE, PTE_V | PTE_D
    paging
    as_supervisor
    li   s0, TEST_VA
    sw   t2, 0(s0)
    wants CAUSE_STORE_PAGE_FAULT
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    li   s0, TEST_VA + MEGAPAGE_SIZE
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    finish
