# expect: result
# Keeps the total in one byte of memory: it overflows.

        .equ    SBI_CONSOLE, 0x4442434e
        .equ    SBI_RESET, 0x53525354
        .equ    MOST_ROUNDS, 256

        .globl  _start, predict, rounds, samples, result

        .data
predict:
        .word   4, 2                    # sstatus off, sscratch read, written, sstatus on; set, read
        .word   2, 2                    # line status and transmit; the same for the newline
        .word   0, 1                    # the shutdown

rounds: .word   0
samples:
        .word   0
result: .word   0
line:   .space  MOST_ROUNDS + 1

        .text
_start:
        la      s0, samples
        lw      s0, 0(s0)               # the next byte
        la      s1, rounds
        lw      s1, 0(s1)               # rounds left
        li      s3, 0                   # the total
        la      s4, line                # where the next letter goes
round:
        beqz    s1, done
        lbu     s2, 0(s0)
        add     s3, s3, s2
        andi    s3, s3, 255
        andi    t0, s2, 15
        addi    t0, t0, 'a'
        sb      t0, 0(s4)
        addi    s4, s4, 1
        addi    s0, s0, 1
        addi    s1, s1, -1
        j       round
done:
        la      t1, result
        sw      s3, 0(t1)
        li      t0, '\n'
        sb      t0, 0(s4)
        la      a1, line
        sub     a0, s4, a1
        addi    a0, a0, 1               # the newline as well
        li      a2, 0
        li      a6, 0
        li      a7, SBI_CONSOLE
        ecall
        li      a7, SBI_RESET
        li      a6, 0
        li      a0, 0
        li      a1, 0
        ecall
hang:   j       hang
