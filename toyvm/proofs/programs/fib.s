# Fibonacci numbers by naive recursion.  Calls, returns and the stack.
# main returns fib(30) = 832040.

        .include "bench.inc"
        .equ N, 30
        .equ FRAME, 16
        .equ FRAME_RA, 12
        .equ FRAME_S0, 8
        .equ FRAME_S1, 4
        bench_start 832040

main:   li      a0, N

# In: a0 = n.  Out: a0 = fib(n).  Clobbers: t0.
fib:    li      t0, 2
        blt     a0, t0, small
        addi    sp, sp, -FRAME
        sw      ra, FRAME_RA(sp)
        sw      s0, FRAME_S0(sp)
        sw      s1, FRAME_S1(sp)
        mv      s0, a0
        addi    a0, a0, -1
        call    fib
        mv      s1, a0
        addi    a0, s0, -2
        call    fib
        add     a0, a0, s1
        lw      ra, FRAME_RA(sp)
        lw      s0, FRAME_S0(sp)
        lw      s1, FRAME_S1(sp)
        addi    sp, sp, FRAME
small:  ret
