# sweep-loads.s: loads of every width all over the 4 GiB of physical addresses.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, 0x1804
    li   s1, 1 << 20
again:
    lw   t2, 0(s0)
    lh   t2, 0(s0)
    lb   t2, 1(s0)
    lw   t2, 2(s0)
    lr.w t2, (s0)
    add  s0, s0, s1
    bgtu s0, s1, again
    finish
