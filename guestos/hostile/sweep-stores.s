# sweep-stores.s: stores and atomics all over the 4 GiB of physical addresses.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    # Beside the finisher, and at the end of RAM's first megabyte.
    li   s0, 0xff804
    li   s1, 1 << 20
again:
    sw   s0, 0(s0)
    sh   s0, 0(s0)
    sb   s0, 1(s0)
    sw   s0, 2(s0)
    amoswap.w t2, s0, (s0)
    sc.w t2, s0, (s0)
    add  s0, s0, s1
    bgtu s0, s1, again
    finish
