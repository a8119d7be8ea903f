# dma-table.s: a disk that is told to read into the page tables in use.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    paging
    entry ROOT + ((UART0_BASE >> MEGAPAGE_SHIFT) << PTE_SLOT), UART0_BASE, LEAF
    as_supervisor
    li   s5, TEST_VA
    lw   t2, 0(s5)
    blk_on
    request
    li   s6, TABLE
    add  s6, s6, s10
    desc 1, s6, SECTOR_SIZE, DESC_F_NEXT | DESC_F_WRITE, 2
    kick 1
    sfence.vma
    # The disk is empty, so the entry is gone.
    lw   t2, 0(s5)
    wants CAUSE_LOAD_PAGE_FAULT
    blk_works
    finish
    .section .text
    blk_code
