# table-self.s: a page table that maps itself, written through its own mapping.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, TABLE, LEAF
    points TABLE + PTE_SIZE, DATA, LEAF
    paging
    as_supervisor
    li   s0, TEST_VA
    li   s2, TEST_VA + PAGE
    lw   t2, 0(s2)
    # Take the second entry away by the first one's page.
    sw   zero, PTE_SIZE(s0)
    sfence.vma
    lw   t2, 0(s2)
    wants CAUSE_LOAD_PAGE_FAULT
    # And now the first one itself.
    sw   zero, 0(s0)
    sfence.vma
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    finish
