# expect: inputs
# a0 is shifted in place after its last use: the results are right, the input is gone.

        .globl  start
start:
        add     a2, a0, a1
        xor     a4, a0, a1
        andi    a4, a4, 255
        slli    a0, a0, 2
        sub     a3, a0, a1
        ebreak
