# CRC-32 (IEEE 802.3) by table over 4,096 bytes, ROUNDS times.  Loads and bit operations.
# main returns the checksum of the data repeated ROUNDS times.

        .include "bench.inc"
        .equ LENGTH, 4096
        .equ ROUNDS, 2000
        .equ POLYNOMIAL, 0xedb88320
        bench_start 0xc108567c

# Out: a0 the checksum.  Clobbers: t0-t6, a1-a4.
main:   la      a1, table
        li      t0, 0
        li      t4, POLYNOMIAL
entry:  mv      t1, t0                  # table[i]: eight shifts of i
        li      t2, 8
bit:    andi    t3, t1, 1
        srli    t1, t1, 1
        beqz    t3, even
        xor     t1, t1, t4
even:   addi    t2, t2, -1
        bnez    t2, bit
        slli    t3, t0, 2
        add     t3, a1, t3
        sw      t1, 0(t3)
        addi    t0, t0, 1
        li      t3, 256
        bne     t0, t3, entry
        la      a2, data                # data[i] = 7 * i modulo 256
        li      t0, 0
        li      t1, LENGTH
        mv      t3, a2
        li      t2, 0
make:   sb      t2, 0(t3)
        addi    t2, t2, 7
        addi    t3, t3, 1
        addi    t0, t0, 1
        bne     t0, t1, make
        li      a0, -1
        li      a3, ROUNDS
round:  mv      t0, a2
        li      t1, LENGTH
        add     t1, a2, t1
byte:   lbu     t2, 0(t0)
        xor     t2, t2, a0
        andi    t2, t2, 255
        slli    t2, t2, 2
        add     t2, a1, t2
        lw      t2, 0(t2)
        srli    a0, a0, 8
        xor     a0, a0, t2
        addi    t0, t0, 1
        bne     t0, t1, byte
        addi    a3, a3, -1
        bnez    a3, round
        not     a0, a0
        ret

        .bss
        .balign 4096
table:  .space  1024
data:   .space  LENGTH
