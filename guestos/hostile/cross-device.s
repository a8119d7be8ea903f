# cross-device.s: a misaligned access whose second page is a device.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    entry TABLE + PTE_SIZE, CLINT_BASE, LEAF
    paging
    as_supervisor
    li   s0, TEST_VA + PAGE
    lw   t2, -2(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    sw   t2, -1(s0)
    wants CAUSE_STORE_ACCESS_FAULT
    finish
