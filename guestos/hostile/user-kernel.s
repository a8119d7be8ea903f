# user-kernel.s: a process that reads, writes and runs its kernel's pages.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    # The code is the user's, the page in question is not.
    entry ROOT + RAM_ENTRY, RAM_BASE, LEAF | PTE_U
    entry ROOT, 0, LEAF | PTE_U
    srli t0, s10, PAGE_SHIFT
    li   t1, SATP_MODE
    or   t0, t0, t1
    csrw satp, t0
    sfence.vma
    as_user
    li   s0, TEST_VA
    lw   t2, 0(s0)
    wants CAUSE_LOAD_PAGE_FAULT
    sw   t2, 0(s0)
    wants CAUSE_STORE_PAGE_FAULT
    la   ra, 1f
    jr   s0
1:  wants CAUSE_INSN_PAGE_FAULT
    finish
