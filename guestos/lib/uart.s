# uart.s: the 16550 UART, polled.
# Purpose: send and receive bytes.  Mode: M (or S with the registers mapped).
# Entry points: uart_init, uart_putc, uart_getc.

    .include "platform.inc"
    .include "uart.inc"

    .section .text
    .globl uart_init
    .globl uart_putc
    .globl uart_getc

# uart_init: 8 bits, no parity, FIFOs on, no interrupts.
# In: none.  Out: none.  Clobbers: t0, t1.
uart_init:
    li   t0, UART0_BASE
    sb   zero, UART_IER(t0)
    li   t1, UART_LCR_8N1
    sb   t1, UART_LCR(t0)
    li   t1, UART_FCR_ENABLE | UART_FCR_CLEAR
    sb   t1, UART_FCR(t0)
    ret

# uart_putc: wait until there is room, then send.
# In: a0 byte.  Out: none.  Clobbers: t0, t1.
uart_putc:
    li   t0, UART0_BASE
1:  lbu  t1, UART_LSR(t0)
    andi t1, t1, UART_LSR_THRE
    beqz t1, 1b
    sb   a0, UART_THR(t0)
    ret

# uart_getc: a received byte, if there is one.
# In: none.  Out: a0 byte, or -1.  Clobbers: t0, t1.
uart_getc:
    li   t0, UART0_BASE
    lbu  t1, UART_LSR(t0)
    andi t1, t1, UART_LSR_DATA
    li   a0, -1
    beqz t1, 1f
    lbu  a0, UART_RBR(t0)
1:  ret
