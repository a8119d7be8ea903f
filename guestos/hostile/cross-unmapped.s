# cross-unmapped.s: a misaligned access whose second page is not mapped.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    paging
    as_supervisor
    li   s0, TEST_VA + PAGE
    lw   t2, -2(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    bne  s8, s0, hostile_fail
    li   t2, -1
    sw   t2, -2(s0)
    wants CAUSE_STORE_PAGE_FAULT
    # Nothing was written before the fault.
    lhu  t2, -2(s0)
    bnez t2, hostile_fail
    finish
