# Product of two 64 x 64 matrices of words, ROUNDS times.  Word loads, multiplication, strides.
# a[i][j] = i + j and b[i][j] = i + 2j; main returns the trace of the product.

        .include "bench.inc"
        .equ N, 64
        .equ ROW, 4 * N
        .equ ROUNDS, 24
        bench_start 28578816

# Out: a0 the trace.  Clobbers: t0-t6, a1-a7.
main:   la      a1, a
        la      a2, b
        li      t0, 0
rows:   li      t1, 0
cols:   add     t2, t0, t1
        sw      t2, 0(a1)
        add     t2, t2, t1
        sw      t2, 0(a2)
        addi    a1, a1, 4
        addi    a2, a2, 4
        addi    t1, t1, 1
        li      t3, N
        bne     t1, t3, cols
        addi    t0, t0, 1
        bne     t0, t3, rows
        li      a7, ROUNDS
round:  li      a0, 0
        li      t0, 0                   # i
row:    li      t1, 0                   # j
col:    la      a1, a
        slli    t2, t0, 8               # i * ROW
        add     a1, a1, t2
        la      a2, b
        slli    t2, t1, 2
        add     a2, a2, t2
        li      a3, 0
        li      t3, N
dot:    lw      t4, 0(a1)
        lw      t5, 0(a2)
        mul     t4, t4, t5
        add     a3, a3, t4
        addi    a1, a1, 4
        addi    a2, a2, ROW
        addi    t3, t3, -1
        bnez    t3, dot
        bne     t0, t1, off
        add     a0, a0, a3
off:    addi    t1, t1, 1
        li      t3, N
        bne     t1, t3, col
        addi    t0, t0, 1
        bne     t0, t3, row
        addi    a7, a7, -1
        bnez    a7, round
        ret

        .bss
        .balign 4096
a:      .space  ROW * N
b:      .space  ROW * N
