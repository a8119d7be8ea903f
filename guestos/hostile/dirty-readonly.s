# dirty-readonly.s: stores to pages whose entries say read-only, through every kind of store.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, PTE_V | PTE_R | PTE_A
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    sw   t2, 0(s0)
    wants CAUSE_STORE_PAGE_FAULT
    sb   t2, 3(s0)
    wants CAUSE_STORE_PAGE_FAULT
    amoor.w t2, t2, (s0)
    wants CAUSE_STORE_PAGE_FAULT
    sc.w t2, t2, (s0)
    wants CAUSE_STORE_PAGE_FAULT
    jalr ra, 0(s0)
    wants CAUSE_INSN_PAGE_FAULT
    finish
