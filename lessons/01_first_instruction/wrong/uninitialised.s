# expect: defined
# Counts on t0 being 0 at the start.

        .globl  start
start:
        add     a2, t0, a0
        add     a2, a2, a1
        slli    a3, a0, 2
        sub     a3, a3, a1
        xor     a4, a0, a1
        andi    a4, a4, 255
        ebreak
