# uart-garbage.s: every value in every register of the UART, with every width.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, UART0_BASE
    li   s5, 255
again:
    sb   s5, UART_FCR(s0)
    sb   s5, UART_LCR(s0)
    sb   s5, UART_IER(s0)
    sb   s5, UART_MCR(s0)
    sb   s5, UART_SCR(s0)
    sb   s5, UART_LSR(s0)
    sh   s5, 0(s0)
    sw   s5, 0(s0)
    sw   s5, UART_MCR(s0)
    lw   t2, 0(s0)
    lb   t2, UART_IIR(s0)
    addi s5, s5, -1
    bgez s5, again
    finish
