# cause-readback.s: cause and value registers hold whatever is written.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s5, -1
    csrw scause, s5
    csrr t2, scause
    bne  t2, s5, hostile_fail
    csrw stval, s5
    csrr t2, stval
    bne  t2, s5, hostile_fail
    csrw sepc, s5
    csrr t2, sepc
    equal t2, -4
    csrw mepc, s5
    csrr t2, mepc
    equal t2, -4
    csrw stvec, s5
    csrr t2, stvec
    equal t2, -3
    finish
