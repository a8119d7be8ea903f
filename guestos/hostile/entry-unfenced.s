# entry-unfenced.s: page-table entries rewritten without a fence: the old or the new page is read.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    points ROOT + TEST_ENTRY, TABLE, PTE_V
    points TABLE, DATA, LEAF
    li   t0, SPARE
    add  t0, t0, s10
    li   t1, 1
    sw   t1, 0(t0)
    paging
    as_supervisor
    li   s0, TEST_VA
    lw   t2, 0(s0)
    bnez t2, hostile_fail
    points TABLE, SPARE, LEAF
    lw   t2, 0(s0)
    andi t2, t2, -2
    bnez t2, hostile_fail
    # After the fence it is the new one.
    sfence.vma s0
    lw   t2, 0(s0)
    equal t2, 1
    finish
