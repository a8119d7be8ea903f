# expect: calls
# Walks the tree with a stack of its own instead of calling itself.

        .globl  sum
sum:
        mv      t2, sp                  # where the stack is empty
        li      t0, 0                   # the sum
        beqz    a0, 3f
1:      lw      t1, 0(a0)
        add     t0, t0, t1
        lw      t1, 8(a0)
        beqz    t1, 2f
        addi    sp, sp, -16             # the right subtree waits
        sw      t1, 0(sp)
2:      lw      a0, 4(a0)
        bnez    a0, 1b
        beq     sp, t2, 3f
        lw      a0, 0(sp)
        addi    sp, sp, 16
        j       1b
3:      mv      a0, t0
        ret
