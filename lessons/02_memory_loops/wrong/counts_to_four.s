# expect: count
# Counts to four at every byte: right, and too many instructions.

        .globl  length, largest, lowest

# in: a0 string; out: a0 length; clobbers t0, t1
length:
        mv      t0, a0
1:      lbu     t1, 0(t0)
        beqz    t1, 2f
        addi    t0, t0, 1
        li      t2, 4
3:      addi    t2, t2, -1
        bnez    t2, 3b
        j       1b
2:      sub     a0, t0, a0
        ret

# in: a0 bytes, a1 number, a2 result; clobbers a0, t0 to t2
largest:
        li      t0, 0                   # largest so far
        add     t1, a0, a1              # behind the last byte
1:      beq     a0, t1, 2f
        lbu     t2, 0(a0)
        addi    a0, a0, 1
        bgeu    t0, t2, 1b
        mv      t0, t2
        j       1b
2:      sb      t0, 0(a2)
        ret

# in: a0 words, a1 number, a2 result; clobbers a0, t0 to t2
lowest:
        li      t0, 0x7fffffff          # lowest so far
        slli    t1, a1, 2
        add     t1, a0, t1              # behind the last word
1:      beq     a0, t1, 2f
        lw      t2, 0(a0)
        addi    a0, a0, 4
        bge     t2, t0, 1b
        mv      t0, t2
        j       1b
2:      sw      t0, 0(a2)
        ret
