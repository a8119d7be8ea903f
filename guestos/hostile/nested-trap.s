# nested-trap.s: traps within the handler, forty deep.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    la   t0, deeper
    csrw mtvec, t0
    li   s5, 40
    ecall
    .balign 4
deeper:
    addi s5, s5, -1
    beqz s5, over
    ecall
    .balign 4
over:
    finish
