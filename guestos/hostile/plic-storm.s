# plic-storm.s: every source at the highest priority, claimed and never completed.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, PLIC_BASE
    li   t1, PLIC_SOURCES
    li   t2, -1
    mv   t0, s0
1:  sw   t2, PLIC_PRIORITY(t0)
    addi t0, t0, WORD
    addi t1, t1, -1
    bnez t1, 1b
    li   t0, PLIC_ENABLE
    add  t0, t0, s0
    sw   t2, 0(t0)
    sw   t2, WORD(t0)
    sw   t2, 2*WORD(t0)
    li   t0, UART0_BASE
    sb   t2, UART_IER(t0)
    li   s1, PLIC_CONTEXT
    add  s1, s1, s0
    sw   zero, PLIC_THRESHOLD(s1)
    li   s5, 500
1:  lw   t2, PLIC_CLAIM(s1)
    addi t2, t2, 77
    sw   t2, PLIC_CLAIM(s1)
    addi s5, s5, -1
    bnez s5, 1b
    finish
