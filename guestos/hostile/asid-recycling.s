# asid-recycling.s: one ASID for one space after another, fenced by ASID only.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s5, 40
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    paging
    csrr t0, satp
    li   t1, 5 << SATP_ASID_SHIFT
    or   t0, t0, t1
    csrw satp, t0
    as_supervisor
again:
    points TABLE, DATA, LEAF
    li   t0, 5
    sfence.vma zero, t0
    li   s0, TEST_VA
    sw   s5, 0(s0)
    points TABLE, SPARE, LEAF
    li   t0, 5
    sfence.vma zero, t0
    sw   zero, 0(s0)
    points TABLE, DATA, LEAF
    li   t0, 5
    sfence.vma zero, t0
    lw   t2, 0(s0)
    bne  t2, s5, hostile_fail
    addi s5, s5, -1
    bnez s5, again
    finish
