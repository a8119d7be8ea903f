# plic.s: the platform-level interrupt controller.
# Purpose: an interrupt of the UART from pending to complete, for both contexts of the hart.
# Source: RISC-V PLIC specification 1.0.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "plic.inc"
    .include "uart.inc"

.equ UART_BIT, 1 << UART0_IRQ
.equ CONTEXT_BYTES, 1 << PLIC_CONTEXT_SHIFT

# raise, lower: the UART's line, by its "transmitter empty" interrupt.
.macro raise
    li   t0, UART_IER_TX
    sb   t0, UART_IER(s0)
.endm

.macro lower
    sb   zero, UART_IER(s0)
.endm

# check_mip BITS: which of the two external interrupts are pending.
.macro check_mip bits
    csrr s3, mip
    li   t0, MIP_MEIP | MIP_SEIP
    and  s3, s3, t0
    check s3, \bits
.endm

    probe_begin plic

    li   s0, UART0_BASE
    li   s1, PLIC_BASE + PLIC_CONTEXT
    li   s2, PLIC_BASE + PLIC_PENDING
    li   s4, PLIC_BASE + PLIC_PRIORITY + UART0_IRQ * WORD
    li   s5, PLIC_BASE + PLIC_CONTEXT + CONTEXT_BYTES
    check_mip 0
    lw   s3, PLIC_CLAIM(s1)      # nothing to claim
    check s3, 0

    li   a0, UART0_IRQ
    li   a1, PLIC_HART0_M
    call plic_enable
    lw   s3, 0(s4)
    check s3, 1                  # the priority
    raise
    lw   s3, 0(s2)
    andi s3, s3, UART_BIT
    check s3, UART_BIT           # pending
    check_mip MIP_MEIP
    lw   s6, PLIC_CLAIM(s1)
    check s6, UART0_IRQ
    check_mip 0                  # claimed: no longer pending
    lw   s3, 0(s2)
    andi s3, s3, UART_BIT
    check s3, 0
    lw   s3, PLIC_CLAIM(s1)
    check s3, 0
    lower
    sw   s6, PLIC_CLAIM(s1)      # complete
    check_mip 0

    li   t0, 1                   # a threshold that the priority does not exceed
    sw   t0, PLIC_THRESHOLD(s1)
    raise
    check_mip 0
    sw   zero, PLIC_THRESHOLD(s1)
    check_mip MIP_MEIP
    sw   zero, 0(s4)             # priority 0: never
    check_mip 0
    li   t0, 1
    sw   t0, 0(s4)
    check_mip MIP_MEIP
    li   t0, PLIC_BASE + PLIC_ENABLE
    sw   zero, 0(t0)             # not enabled; some controllers look again only at the next write
    sw   zero, PLIC_THRESHOLD(s1)
    check_mip 0

    li   a0, UART0_IRQ           # for S-mode instead
    li   a1, PLIC_HART0_S
    call plic_enable
    check_mip MIP_SEIP
    lw   s3, PLIC_CLAIM(s1)      # the other context does not get it
    check s3, 0
    lw   s6, PLIC_CLAIM(s5)
    check s6, UART0_IRQ
    check_mip 0
    lower
    sw   s6, PLIC_CLAIM(s5)
    check_mip 0
    tail probe_ok
