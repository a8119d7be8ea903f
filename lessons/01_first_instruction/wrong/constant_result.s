# expect: sum
# The sum of one pair of inputs, written down as a constant.

        .globl  start
start:
        li      a2, 7

        slli    a3, a0, 2
        sub     a3, a3, a1

        xor     a4, a0, a1
        andi    a4, a4, 255
        ebreak
