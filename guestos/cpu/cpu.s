# cpu.s: a guest that only computes.
# Purpose: measure how fast instructions run, bare and virtualised: a sieve of Eratosthenes,
# again and again, without a trap between the first line and the last.
# Mode: S, at SBI_KERNEL_BASE, without paging, started by the SBI firmware.
# Entry points: _start.
#
# Assembled as it is it retires about 50 million instructions.  -D CPU_ROUNDS=n changes that:
# each round is about 875 thousand.

    .include "abi.inc"
    .include "csr.inc"
    .include "sbi.inc"

.ifdef CPU_ROUNDS
.else
.equ CPU_ROUNDS, 57
.endif
.equ LIMIT, 65536                # primes below this
.equ FACTOR, 31                  # of the rolling checksum
.equ STACK_BYTES, 1024

    .section .text
    .globl _start

_start:
    la   sp, stack_top
    la   t0, unexpected
    csrw stvec, t0
    la   a0, text_start
    call print_str
    li   s0, CPU_ROUNDS
    li   s1, 0                   # checksum
1:  call sieve
    li   t0, FACTOR
    mul  s1, s1, t0
    add  s1, s1, a1
    mv   s2, a0                  # number of primes
    addi s0, s0, -1
    bnez s0, 1b

    la   a0, text_primes
    call print_str
    mv   a0, s2
    call print_dec
    la   a0, text_rounds
    call print_str
    li   a0, CPU_ROUNDS
    call print_dec
    la   a0, text_checksum
    call print_str
    mv   a0, s1
    call print_hex
    call print_newline
    li   a0, SBI_SRST_NO_REASON
    tail sbi_shutdown

    .align 2
unexpected:
    la   a0, text_trap
    call print_str
    li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

# sieve: find the primes below LIMIT.
# In: none.  Out: a0 how many, a1 their sum modulo 2^32.  Clobbers: t0-t5.
sieve:
    la   t0, composite
    li   t1, LIMIT
    add  t1, t1, t0              # end
    mv   t2, t0
1:  sw   zero, 0(t2)
    sw   zero, WORD(t2)
    sw   zero, 2*WORD(t2)
    sw   zero, 3*WORD(t2)
    addi t2, t2, 4*WORD
    bltu t2, t1, 1b

    li   a0, 0
    li   a1, 0
    li   t2, 2                   # the number
    addi t3, t0, 2               # its byte
    li   t5, 1
2:  lbu  t4, 0(t3)
    bnez t4, 4f
    addi a0, a0, 1
    add  a1, a1, t2
    add  t4, t3, t2              # its first multiple
    bgeu t4, t1, 4f
3:  sb   t5, 0(t4)
    add  t4, t4, t2
    bltu t4, t1, 3b
4:  addi t2, t2, 1
    addi t3, t3, 1
    bltu t3, t1, 2b
    ret

    .section .rodata
text_start:
    .asciz "cpu: sieve of Eratosthenes\n"
text_primes:
    .asciz "cpu: primes below 65536: "
text_rounds:
    .asciz ", rounds "
text_checksum:
    .asciz ", checksum "
text_trap:
    .asciz "cpu: unexpected trap\n"

    .section .bss
    .align 4
composite:                       # one byte a number
    .space LIMIT
    .space STACK_BYTES
stack_top:
