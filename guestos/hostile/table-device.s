# table-device.s: a second-level page table in the registers of a device.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    entry ROOT + TEST_ENTRY, CLINT_BASE, PTE_V
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    finish
