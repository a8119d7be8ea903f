# Sieve of Eratosthenes over 2^16 bytes, ROUNDS times.  Byte stores and short loops.
# main returns the number of primes below SIZE: 6542.

        .include "bench.inc"
        .equ SIZE, 65536
        .equ ROUNDS, 120
        bench_start 6542

# Out: a0 the number of primes.  Clobbers: t0-t6, a1-a3.
main:   li      a3, ROUNDS
        la      a1, flags
        li      a2, SIZE
round:  mv      t0, a1                  # all numbers are candidates
        add     t1, a1, a2
        li      t2, 0x01010101
fill:   sw      t2, 0(t0)
        addi    t0, t0, 4
        bne     t0, t1, fill
        li      a0, 0
        li      t0, 2
next:   add     t1, a1, t0
        lbu     t2, 0(t1)
        beqz    t2, composite
        addi    a0, a0, 1
        slli    t3, t0, 1
        bgeu    t3, a2, composite
        add     t4, a1, t3
        add     t5, a1, a2
strike: sb      zero, 0(t4)
        add     t4, t4, t0
        bltu    t4, t5, strike
composite:
        addi    t0, t0, 1
        bne     t0, a2, next
        addi    a3, a3, -1
        bnez    a3, round
        ret

        .bss
        .balign 4096
flags:  .space  SIZE
