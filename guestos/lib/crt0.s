# crt0.s: what runs before and behind main.
# Purpose: stack, zeroed memory and the end of a program in C.  Mode: M.
# Entry points: _start, putchar.

    .include "platform.inc"

.equ CODE_SHIFT, 16

    .section .init, "ax"
    .globl _start
    .globl putchar

# _start: the first instruction after reset; the symbols come from lib/program.ld.
# In: none.  Out: does not return.  Clobbers: all.
_start:
    csrr t0, mhartid
    bnez t0, sleep               # one hart runs the program
    la   sp, __stack_top
    la   t0, __bss_start
    la   t1, __bss_end
1:  bgeu t0, t1, 2f
    sw   zero, 0(t0)
    addi t0, t0, 4
    j    1b
2:  li   a0, 0                   # no arguments
    li   a1, 0
    call main
    li   t1, FINISHER_PASS
    beqz a0, 3f
    slli t1, a0, CODE_SHIFT
    li   t0, FINISHER_FAIL
    or   t1, t1, t0
3:  li   t0, FINISHER_BASE
    sw   t1, 0(t0)
sleep:
    wfi
    j    sleep

# putchar: one byte to the serial line.
# In: a0 byte.  Out: a0 unchanged.  Clobbers: t0.
putchar:
    li   t0, UART0_BASE
    sb   a0, 0(t0)
    ret
