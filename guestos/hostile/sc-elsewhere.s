# sc-elsewhere.s: store-conditional to another page than the one that was reserved.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   t0, DATA
    add  s0, s10, t0
    li   t0, SPARE
    add  s1, s10, t0
    lr.w t2, (s0)
    sc.w t2, s0, (s1)
    beqz t2, hostile_fail
    lw   t2, 0(s1)
    bnez t2, hostile_fail
    # And with a trap between the two.
    lr.w t2, (s0)
    ecall
    sc.w t2, s0, (s0)
    beqz t2, hostile_fail
    finish
