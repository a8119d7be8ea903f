# count.s: a program: work for a while without ever waiting.
# Purpose: be preempted; print a checksum a round.
# Mode: U, at USER_CODE; position-independent.
# Entry points: the first byte; count_start and count_end for the kernel, which copies it.

    .include "teachos/user/user.inc"

.equ ROUNDS, 5
.equ ROUND_TICKS, TIMEBASE_HZ / 500      # longer than a time slice
.equ BATCH, 2000                         # steps between two looks at the clock
.equ LCG_FACTOR, 1664525                 # Numerical Recipes' generator
.equ LCG_OFFSET, 1013904223

    .section .rodata
    .globl count_start
    .globl count_end
    .align 2
count_start:
    line_begin
    li   a7, SYS_GETPID
    ecall
    mv   s1, a0
    li   s2, 1                   # round
1:  li   a7, SYS_GETTIME
    ecall
    mv   s3, a0
2:  li   s4, 0                   # the same work again and again until the round is over
    li   t0, BATCH
    li   t1, LCG_FACTOR
    li   t2, LCG_OFFSET
3:  mul  s4, s4, t1
    add  s4, s4, t2
    addi t0, t0, -1
    bnez t0, 3b
    li   a7, SYS_GETTIME
    ecall
    sub  a0, a0, s3
    li   t0, ROUND_TICKS
    bltu a0, t0, 2b
    text text_count
    number s1
    text text_round
    number s2
    text text_sum
    number s4
    call put_line
    addi s2, s2, 1
    li   t0, ROUNDS
    bleu s2, t0, 1b
    exit zero

    .include "teachos/user/ulib.inc"

text_count:
    .asciz "count: process "
text_round:
    .asciz ", round "
text_sum:
    .asciz ", checksum "
    .align 2
count_end:
