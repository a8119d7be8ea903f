# mega-misaligned.s: a megapage that does not begin at a multiple of 4 MiB.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    entry ROOT + TEST_ENTRY, RAM_BASE + PAGE, LEAF
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    amoadd.w t2, t2, (s0)
    wants CAUSE_STORE_PAGE_FAULT
    finish
