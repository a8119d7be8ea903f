# expect: x0
# The sum goes to x0, where it is lost, and is then copied from there.

        .globl  start
start:
        add     x0, a0, a1
        mv      a2, x0
        slli    a3, a0, 2
        sub     a3, a3, a1
        xor     a4, a0, a1
        andi    a4, a4, 255
        ebreak
