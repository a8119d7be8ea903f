# high-page.s: a leaf entry whose page number does not fit into 32 bits of address.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    li   t0, (1 << 20) << PTE_PPN_SHIFT | LEAF
    li   t1, TABLE
    add  t1, t1, s10
    sw   t0, 0(t1)
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    sw   t2, 0(s0)
    wants CAUSE_STORE_ACCESS_FAULT
    jalr ra, 0(s0)
    wants CAUSE_INSN_ACCESS_FAULT
    finish
