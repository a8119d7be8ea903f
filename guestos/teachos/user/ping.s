# ping.s: a program: ask the neighbour for echos.
# Purpose: print the round trip of each request, or that there was no reply.
# Mode: U, at USER_CODE; position-independent.
# Entry points: the first byte; ping_start and ping_end for the kernel, which copies it.

    .include "teachos/user/user.inc"

.equ PINGS, 4
.equ PEER, 10 | 0 << 8 | 0 << 16 | 2 << 24       # 10.0.0.2, as in memory
.equ TIMEOUT, TIMEBASE_HZ                 # one second

    .section .rodata
    .globl ping_start
    .globl ping_end
    .align 2
ping_start:
    line_begin
    li   s1, 1                   # sequence number
    li   s2, 0                   # replies
1:  li   a0, PEER
    mv   a1, s1
    li   a2, TIMEOUT
    li   a7, SYS_PING
    ecall
    mv   s3, a0
    li   t0, ERR_NO_DEVICE
    beq  s3, t0, 4f
    text text_ping
    number s1
    bltz s3, 2f
    addi s2, s2, 1
    text text_time
    number s3
    text text_ticks
    mv   a0, s3
    call put_micros
    text text_micros
    j    3f
2:  text text_no_reply
3:  call put_line
    addi s1, s1, 1
    li   t0, PINGS
    bleu s1, t0, 1b
    text text_sum
    number s2
    text text_of
    li   a0, PINGS
    call put_number
    call put_line
    exit zero
4:  text text_no_card
    call put_line
    exit zero

    .include "teachos/user/ulib.inc"

text_ping:
    .asciz "ping 10.0.0.2: seq "
text_time:
    .asciz " time "
text_ticks:
    .asciz " ticks ("
text_micros:
    .asciz " us)"
text_no_reply:
    .asciz " no reply"
text_sum:
    .asciz "ping 10.0.0.2: replies "
text_of:
    .asciz " of "
text_no_card:
    .asciz "ping 10.0.0.2: no network card"
    .align 2
ping_end:
