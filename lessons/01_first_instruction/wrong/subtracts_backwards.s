# expect: scale
# a1 - 4 * a0 instead of 4 * a0 - a1.

        .globl  start
start:
        add     a2, a0, a1
        slli    a3, a0, 2
        sub     a3, a1, a3
        xor     a4, a0, a1
        andi    a4, a4, 255
        ebreak
