_start:
    la   a0, count
    lw   a1, 0(a0)
    j    _start
    .data
flag:
    .byte 1
count:
    .word 7
    .globl flag
