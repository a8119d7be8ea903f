# Lesson 3: calls and the stack.  The tasks are in README.md.

        .equ    NODE_VALUE, 0
        .equ    NODE_LEFT, 4
        .equ    NODE_RIGHT, 8

        .globl  sum

# in:  a0  address of a tree, or 0
# out: a0  sum of its values
sum:
        beqz    a0, empty
        # TODO task 2 and 3: a stack frame for what must outlive the calls
        mv      s0, a0
        lw      a0, NODE_LEFT(s0)
        call    sum
        # TODO task 1: the right subtree, and this node's value
        ret
empty:
        ret                             # a0 is 0 already
