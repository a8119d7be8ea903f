# expect: ends
# Takes the address 0 for a node.

        .equ    NODE_VALUE, 0
        .equ    NODE_LEFT, 4
        .equ    NODE_RIGHT, 8

        .equ    FRAME, 16
        .equ    FRAME_RA, 12
        .equ    FRAME_S0, 8
        .equ    FRAME_S1, 4

        .globl  sum

# in: a0 tree or 0; out: a0 sum; keeps s0 (the node) and s1 (the left sum)
sum:
        addi    sp, sp, -FRAME
        sw      ra, FRAME_RA(sp)
        sw      s0, FRAME_S0(sp)
        sw      s1, FRAME_S1(sp)
        mv      s0, a0
        lw      a0, NODE_LEFT(s0)
        call    sum
        mv      s1, a0
        lw      a0, NODE_RIGHT(s0)
        call    sum
        add     a0, a0, s1
        lw      t0, NODE_VALUE(s0)
        add     a0, a0, t0
        lw      s1, FRAME_S1(sp)
        lw      s0, FRAME_S0(sp)
        lw      ra, FRAME_RA(sp)
        addi    sp, sp, FRAME
        ret
