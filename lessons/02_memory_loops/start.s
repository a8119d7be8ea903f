# Lesson 2: memory and loops.  The tasks are in README.md.

        .globl  length, largest, lowest

# in:  a0  address of bytes that end with a zero
# out: a0  number of bytes before the zero
length:
        mv      t0, a0                  # t0 walks along the string, a0 keeps its start
        # TODO task 1
        sub     a0, t0, a0
        ret

# in:  a0  address of an array of unsigned bytes
#      a1  number of bytes, may be 0
#      a2  address of the result: one byte
largest:
        # TODO task 2
        ret

# in:  a0  address of an array of signed words
#      a1  number of words, may be 0
#      a2  address of the result: one word
lowest:
        # TODO task 3
        ret
