# string.s: bytes in memory.
# Purpose: copy, fill and compare.  Mode: any.
# Entry points: mem_copy, mem_fill, mem_equal, str_length.

    .include "abi.inc"

    .section .text
    .globl mem_copy
    .globl mem_fill
    .globl mem_equal
    .globl str_length

# mem_copy: copy bytes between buffers that do not overlap, by words if all is aligned.
# In: a0 destination, a1 source, a2 bytes.  Out: none.  Clobbers: a0-a2, t0, t1.
mem_copy:
    or   t0, a0, a1
    or   t0, t0, a2
    andi t0, t0, WORD - 1
    add  t1, a0, a2              # end of the destination
    bnez t0, 3f
    j    2f
1:  lw   t0, 0(a1)
    sw   t0, 0(a0)
    addi a0, a0, WORD
    addi a1, a1, WORD
2:  bltu a0, t1, 1b
    ret
4:  lbu  t0, 0(a1)
    sb   t0, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
3:  bltu a0, t1, 4b
    ret

# mem_fill: set bytes, by words if all is aligned.
# In: a0 address, a1 byte, a2 bytes.  Out: none.  Clobbers: a0, a1, t0, t1.
mem_fill:
    or   t0, a0, a2
    andi t0, t0, WORD - 1
    add  t1, a0, a2
    andi a1, a1, 0xff
    bnez t0, 3f
    slli t0, a1, 8               # the byte four times
    or   a1, a1, t0
    slli t0, a1, 16
    or   a1, a1, t0
    j    2f
1:  sw   a1, 0(a0)
    addi a0, a0, WORD
2:  bltu a0, t1, 1b
    ret
4:  sb   a1, 0(a0)
    addi a0, a0, 1
3:  bltu a0, t1, 4b
    ret

# mem_equal: compare bytes.
# In: a0, a1 addresses, a2 bytes.  Out: a0 = 1 if equal, else 0.  Clobbers: a1, a2, t0, t1.
mem_equal:
    add  a2, a0, a2
    j    2f
1:  lbu  t0, 0(a0)
    lbu  t1, 0(a1)
    bne  t0, t1, 3f
    addi a0, a0, 1
    addi a1, a1, 1
2:  bltu a0, a2, 1b
    li   a0, 1
    ret
3:  li   a0, 0
    ret

# str_length: bytes before the terminating zero.
# In: a0 string.  Out: a0 length.  Clobbers: t0, t1.
str_length:
    mv   t0, a0
1:  lbu  t1, 0(t0)
    beqz t1, 2f
    addi t0, t0, 1
    j    1b
2:  sub  a0, t0, a0
    ret
