# syscalls.s: a program that calls the kernel, again and again.
# Purpose: measure a trap into a kernel and back.
# Mode: U, at USER_CODE.  -D LOAD_TIMES=n: how often; 20,000 if nothing is said.
# Entry points: user_start to user_end; name.

    .include "abi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.ifdef LOAD_TIMES
.else
.equ LOAD_TIMES, 20000
.endif

    .section .text
    .align PAGE_SHIFT
    .globl user_start, user_end
    .globl name

user_start:
    li   s0, LOAD_TIMES
    li   a0, 0
1:  li   a7, SYS_NULL
    ecall
    addi s0, s0, -1
    bnez s0, 1b
    li   t0, LOAD_TIMES          # each call has added 1
    sub  a0, a0, t0
    li   a7, SYS_EXIT
    ecall
    .align PAGE_SHIFT
user_end:

    .section .rodata
name:
    .asciz "syscalls"
