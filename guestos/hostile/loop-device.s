# loop-device.s: a trap vector in a device.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: dies "trap loop"

    .include "hostile/hostile.inc"

    begin
    li   t0, UART0_BASE
    csrw mtvec, t0
    ecall
    finish
