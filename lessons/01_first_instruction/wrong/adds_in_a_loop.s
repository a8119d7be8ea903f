# expect: count
# Multiplies by adding four times in a loop: right, and three times as long as needed.

        .globl  start
start:
        add     a2, a0, a1
        li      t0, 4
        li      a3, 0
again:
        add     a3, a3, a0
        addi    t0, t0, -1
        bnez    t0, again
        sub     a3, a3, a1
        xor     a4, a0, a1
        andi    a4, a4, 255
        ebreak
