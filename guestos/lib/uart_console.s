# uart_console.s: the console of kernels that drive the UART themselves.
# Purpose: console_putc for lib/print.s.  Mode: M.
# Entry points: console_putc.

    .section .text
    .globl console_putc

# console_putc: one byte, as it is.
# In: a0 byte.  Out: none.  Clobbers: t0, t1.
console_putc:
    tail uart_putc
