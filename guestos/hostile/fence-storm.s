# fence-storm.s: fences of every kind, thousands of them.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    paging
    as_supervisor
    li   s5, 3000
again:
    sfence.vma
    sfence.vma s5
    sfence.vma zero, s5
    sfence.vma s5, s5
    lw   t2, 0(s10)
    addi s5, s5, -1
    bnez s5, again
    finish
