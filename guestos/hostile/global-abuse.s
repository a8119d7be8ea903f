# global-abuse.s: global pages that differ from space to space.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF | PTE_G
    paging
    as_supervisor
    li   s0, TEST_VA
    li   t0, 7
    sw   t0, 0(s0)
    points TABLE, SPARE, LEAF | PTE_G
    # A fence of one ASID may keep global pages: old or new.
    li   t0, 3
    sfence.vma zero, t0
    lw   t2, 0(s0)
    beqz t2, new
    equal t2, 7
new:
    sfence.vma
    lw   t2, 0(s0)
    bnez t2, hostile_fail
    finish
