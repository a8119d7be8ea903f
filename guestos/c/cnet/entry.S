# entry.S: from the firmware, in S-mode without translation: a0 hart, a1 device tree.
    .section .text.entry, "ax"
    .globl _start
_start:
    la   sp, boot_stack_top
    la   t0, bss_start
    la   t1, bss_end
1:  bgeu t0, t1, 2f
    sw   zero, 0(t0)
    addi t0, t0, 4
    j    1b
2:  tail main

# Harts that are started later: a0 hart, a1 the top of a stack.
    .globl secondary_start
secondary_start:
    mv   sp, a1
    tail secondary

# One page of user program; it is copied nowhere, only mapped at 0x10000.
    .section .user, "ax"
    .option norvc
    .option norelax
    j    user_program
greeting:
    .ascii "user: hello from U-mode\n"
    .set GREETING, . - greeting
    .align 2
user_program:
    la   a0, greeting
    li   a1, GREETING
    li   a7, 1                  # write
    ecall
    li   a7, 3                  # ticks
    ecall
    addi s2, a0, 2
round:
    li   s0, 0                  # checksum of a loop that timer interrupts cut
    li   s1, 300000
    li   t0, 0
1:  addi t0, t0, 1
    slli t1, s0, 5
    srli t2, s0, 27
    or   s0, t1, t2
    xor  s0, s0, t0
    bne  t0, s1, 1b
    li   a7, 3                  # again until two interrupts have come
    ecall
    blt  a0, s2, round
    li   t0, -2048              # the stack is one page below 0x20000
    add  t0, sp, t0
    sw   s0, 3(t0)              # misaligned
    lw   a0, 3(t0)
    li   a7, 2                  # exit(checksum)
    ecall
    unimp

    .section .bss
    .align 4
    .space 8192
boot_stack_top:
