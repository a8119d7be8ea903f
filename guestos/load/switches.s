# switches.s: two programs that take turns, again and again.
# Purpose: measure a change of the address space.
# Mode: U, at USER_CODE.  -D LOAD_TIMES=n: turns of each; 10,000 if nothing is said.
# Entry points: user_start to user_end; name.

    .include "abi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.ifdef LOAD_TIMES
.else
.equ LOAD_TIMES, 10000
.endif

    .section .text
    .align PAGE_SHIFT
    .globl user_start, user_end
    .globl name

user_start:
    mv   s1, a0                  # our number, on our own stack
    addi sp, sp, -STACK_ALIGN
    sw   s1, 0(sp)
    li   s0, LOAD_TIMES
1:  li   a7, SYS_YIELD
    ecall
    addi s0, s0, -1
    bnez s0, 1b
    lw   a0, 0(sp)
    sub  a0, a0, s1              # 0 unless somebody else was on it
    li   a7, SYS_EXIT
    ecall
    .align PAGE_SHIFT
user_end:

    .section .rodata
name:
    .asciz "switches"
