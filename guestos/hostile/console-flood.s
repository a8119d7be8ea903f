# console-flood.s: bytes to the console without end.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: budget

    .include "hostile/hostile.inc"

    begin
    li   s0, UART0_BASE
    li   t1, 'x'
again:
    sb   t1, UART_THR(s0)
    j    again
    finish
