# faults.s: a program that touches fresh pages, again and again.
# Purpose: measure a page fault that a kernel resolves.
# Mode: U, at USER_CODE.  -D LOAD_TIMES=n: how many pages; 10,240 if nothing is said.
# Entry points: user_start to user_end; name.

    .include "abi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.ifdef LOAD_TIMES
.else
.equ LOAD_TIMES, 10240
.endif

    .section .text
    .align PAGE_SHIFT
    .globl user_start, user_end
    .globl name

user_start:
    li   s0, LOAD_TIMES
    li   s2, PAGE_SIZE
    li   s4, 0                   # sum of what was found: fresh pages are zero
1:  li   s1, USER_HEAP
    li   s3, HEAP_PAGES
2:  sw   s0, 0(s1)
    lw   t0, WORD(s1)
    add  s4, s4, t0
    sw   s0, WORD(s1)
    add  s1, s1, s2
    addi s0, s0, -1
    beqz s0, 3f
    addi s3, s3, -1
    bnez s3, 2b
    li   a7, SYS_RELEASE
    ecall
    j    1b
3:  mv   a0, s4
    li   a7, SYS_EXIT
    ecall
    .align PAGE_SHIFT
user_end:

    .section .rodata
name:
    .asciz "faults"
