# Lesson 1: first instruction.  The tasks are in README.md.
#
# in:  a0, a1   two random numbers, to be kept
# out: a2       a0 + a1
#      a3       4 * a0 - a1
#      a4       the low 8 bits of (a0 xor a1)

        .globl  start
start:
        mv      a2, a0                  # TODO task 2: this is not yet the sum

        # TODO task 3

        # TODO task 4

        # TODO task 1: end the run
