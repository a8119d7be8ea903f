# selfmod.s: code that changes itself.
# Purpose: after fence.i the new instruction runs, wherever the old one was, and however often it
# had run before.
# Source: Unprivileged ISA, chapter 3 (Zifencei).  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ LI_S1, 0x00000493           # addi s1, zero, 0; the immediate is in bits 31:20
.equ IMMEDIATE_SHIFT, 20
.equ ROUNDS, 50
.equ RET, 0x00008067

    probe_begin selfmod

    # An instruction of a loop in the same page, changed each time round.
    li   s0, 1
    la   s2, target
1:  slli t0, s0, IMMEDIATE_SHIFT
    li   t1, LI_S1
    or   t0, t0, t1
    sw   t0, 0(s2)
    fence.i
target:
    li   s1, 0
    check_same s1, s0
    addi s0, s0, 1
    li   t0, ROUNDS
    bne  s0, t0, 1b

    # A function in memory that was data so far.
    la   s2, function
    li   t0, LI_S1 | (7 << IMMEDIATE_SHIFT)
    sw   t0, 0(s2)
    li   t0, RET
    sw   t0, WORD(s2)
    fence.i
    jalr s2
    check s1, 7
    li   t0, 9                   # only the immediate's byte, then the upper half
    slli t0, t0, 4
    sb   t0, 2(s2)
    fence.i
    jalr s2
    check s1, 9
    li   t0, 0x0110
    sh   t0, 2(s2)
    fence.i
    jalr s2
    check s1, 0x11

    # The function copied elsewhere.
    la   s3, copy
    lw   t0, 0(s2)
    sw   t0, 0(s3)
    lw   t0, WORD(s2)
    sw   t0, WORD(s3)
    fence.i
    li   s1, 0
    jalr s3
    check s1, 0x11
    tail probe_ok

    .section .bss
    .align 12
function:
    .space PAGE_SIZE
copy:
    .space 2*WORD
