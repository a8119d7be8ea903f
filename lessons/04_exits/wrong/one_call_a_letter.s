# expect: half
# Prints by SBI, but one letter a call: the device accesses turn into as many exits again.

        .equ    UART, 0x10000000
        .equ    UART_THR, 0             # transmit holding register
        .equ    UART_LSR, 5             # line status register
        .equ    LSR_READY, 0x20         # the transmitter takes a byte
        .equ    SSTATUS_SIE, 2          # interrupts on
        .equ    SBI_RESET, 0x53525354

        .globl  _start, predict, rounds, samples, result

        .data
# Task 1: exits of this kernel as given:  in each round, once in the run
predict:
        .word   4, 2
        .word   2, 2
        .word   0, 1

rounds: .word   0                       # n, from the grader
samples:
        .word   0                       # address of n bytes, from the grader
result: .word   0                       # the total, for the grader

        .text
_start:
        la      s0, samples
        lw      s0, 0(s0)               # the next byte
        la      s1, rounds
        lw      s1, 0(s1)               # rounds left
        csrw    sscratch, zero          # the total
round:
        beqz    s1, done
        lbu     s2, 0(s0)
        csrci   sstatus, SSTATUS_SIE    # no interrupt between read and write
        csrr    t0, sscratch
        add     t0, t0, s2
        csrw    sscratch, t0
        csrsi   sstatus, SSTATUS_SIE
        andi    a0, s2, 15
        addi    a0, a0, 'a'
        call    put
        addi    s0, s0, 1
        addi    s1, s1, -1
        j       round
done:
        csrr    t0, sscratch
        la      t1, result
        sw      t0, 0(t1)
        li      a0, '\n'
        call    put
        li      a7, SBI_RESET
        li      a6, 0
        li      a0, 0
        li      a1, 0
        ecall
hang:   j       hang

# in: a0 byte to print; clobbers t0, t1
put:
        li      a7, 1
        ecall
        ret
