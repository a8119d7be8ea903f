# uart.s: the 16550 UART.
# Purpose: registers, loopback, interrupt identification.
# Source: National Semiconductor PC16550D data sheet, section 8.  Mode: M.
# Entry points: probe_main.
#
# While the UART talks to itself nothing can be reported, so values are kept in registers and
# checked afterwards.

    .include "probes/probe.inc"
    .include "uart.inc"

.equ DIVISOR_LOW, 0x34
.equ DIVISOR_HIGH, 0x12
.equ IIR_RX, 4                   # a byte has come

    probe_begin uart

    call uart_init
    li   s0, UART0_BASE
    li   t0, 0xa5
    sb   t0, UART_SCR(s0)
    lbu  s1, UART_SCR(s0)
    check s1, 0xa5
    lbu  s1, UART_LSR(s0)
    andi s1, s1, UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DATA
    check s1, UART_LSR_THRE|UART_LSR_TEMT
    lbu  s1, UART_IIR(s0)
    check s1, 0xc0|UART_IIR_NONE # FIFOs on, no interrupt
    lbu  s1, UART_IER(s0)
    check s1, 0

    li   t0, UART_LCR_8N1 | UART_LCR_DLAB
    sb   t0, UART_LCR(s0)        # the first two registers are the divisor now
    lbu  s2, UART_DLL(s0)
    lbu  s3, UART_DLM(s0)
    li   t0, DIVISOR_LOW
    sb   t0, UART_DLL(s0)
    li   t0, DIVISOR_HIGH
    sb   t0, UART_DLM(s0)
    lbu  s4, UART_DLL(s0)
    lbu  s5, UART_DLM(s0)
    sb   s2, UART_DLL(s0)
    sb   s3, UART_DLM(s0)
    li   t0, UART_LCR_8N1
    sb   t0, UART_LCR(s0)
    check s4, DIVISOR_LOW
    check s5, DIVISOR_HIGH
    lbu  s1, UART_IER(s0)
    check s1, 0

    # Loopback: what is sent is received, in order.
    lbu  s11, UART_MCR(s0)
    ori  t0, s11, UART_MCR_LOOP
    sb   t0, UART_MCR(s0)
    li   t0, UART_IER_RX
    sb   t0, UART_IER(s0)
    li   t0, 'A'
    sb   t0, UART_THR(s0)
    li   t0, 'B'
    sb   t0, UART_THR(s0)
    lbu  s1, UART_LSR(s0)
    lbu  s2, UART_IIR(s0)
    lbu  s3, UART_RBR(s0)
    lbu  s4, UART_LSR(s0)
    lbu  s5, UART_RBR(s0)
    lbu  s6, UART_LSR(s0)
    lbu  s7, UART_IIR(s0)
    li   t0, UART_IER_TX         # transmitter empty: reported once, until the next byte
    sb   t0, UART_IER(s0)
    lbu  s8, UART_IIR(s0)
    lbu  s9, UART_IIR(s0)
    sb   zero, UART_THR(s0)
    lbu  s10, UART_IIR(s0)
    lbu  t0, UART_RBR(s0)
    sb   zero, UART_IER(s0)
    sb   s11, UART_MCR(s0)
    andi s1, s1, UART_LSR_DATA
    andi s4, s4, UART_LSR_DATA
    andi s6, s6, UART_LSR_DATA
    andi s2, s2, UART_IIR_MASK
    andi s7, s7, UART_IIR_MASK
    andi s8, s8, UART_IIR_MASK
    andi s9, s9, UART_IIR_MASK
    andi s10, s10, UART_IIR_MASK
    check s1, UART_LSR_DATA
    check s2, IIR_RX
    check s3, 'A'
    check s4, UART_LSR_DATA
    check s5, 'B'
    check s6, 0
    check s7, UART_IIR_NONE
    check s8, UART_IIR_TX
    check s9, UART_IIR_NONE
    check s10, UART_IIR_TX
    tail probe_ok
