# expect: mask
# 127 keeps seven bits, not eight.

        .globl  start
start:
        add     a2, a0, a1
        slli    a3, a0, 2
        sub     a3, a3, a1
        xor     a4, a0, a1
        andi    a4, a4, 127
        ebreak
