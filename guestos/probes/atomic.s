# atomic.s: the A extension.
# Purpose: every AMO's result and memory, reservations made, kept and lost.
# Source: Unprivileged ISA, sections 8.2 (LR/SC) and 8.4 (AMO).  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ A, 0x80000005               # memory before; negative if signed
.equ B, 0x00000003               # the operand

# amo OP, AFTER: rd gets the old value, memory becomes AFTER.
.macro amo op, after
    li   t0, A
    sw   t0, 0(s0)
    li   s1, B
    \op  s2, s1, (s0)
    check s2, A
    lw   s3, 0(s0)
    check s3, \after
.endm

    probe_begin atomic

    la   s0, word
    amo  amoswap.w, B
    amo  amoadd.w, A+B
    amo  amoxor.w, A^B
    amo  amoand.w, A&B
    amo  amoor.w, A|B
    amo  amomin.w, A
    amo  amomax.w, B
    amo  amominu.w, B
    amo  amomaxu.w, A
    amo  amoadd.w.aqrl, A+B

    li   t0, A                   # rd may be the operand, or x0
    sw   t0, 0(s0)
    li   s1, B
    amoadd.w s1, s1, (s0)
    check s1, A
    li   s1, B
    amoswap.w zero, s1, (s0)
    lw   s2, 0(s0)
    check s2, B
    mv   s1, s0                  # rd may be the address
    amoswap.w s1, zero, (s1)
    check s1, B

    li   t0, A                   # sc after lr succeeds: 0, and memory changes
    sw   t0, 0(s0)
    lr.w s1, (s0)
    sc.w s2, t0, (s0)
    check s1, A
    check s2, 0
    li   s1, B
    lr.w s2, (s0)
    sc.w s2, s1, (s0)
    check s2, 0
    lw   s2, 0(s0)
    check s2, B

    li   s1, A                   # a second sc fails: not 0, and memory stays
    sc.w s2, s1, (s0)
    snez s2, s2
    check s2, 1
    lw   s2, 0(s0)
    check s2, B

    lr.w s2, (s0)                # sc elsewhere fails, and gives up the reservation
    la   s3, far
    sc.w s2, s1, (s3)
    snez s2, s2
    check s2, 1
    sc.w s2, s1, (s0)
    snez s2, s2
    check s2, 1
    lw   s2, 0(s3)
    check s2, 0

    lr.w.aq s2, (s0)             # the usual loop
1:  lr.w s2, (s0)
    addi s3, s2, 1
    sc.w.rl s4, s3, (s0)
    bnez s4, 1b
    lw   s2, 0(s0)
    check s2, B+1

    # Misaligned: which of the address-misaligned and access-fault exceptions comes is the
    # machine's choice; that one comes, and that memory stays, is not.
    addi s3, s0, 2
    on_trap 1f
    lr.w s2, (s3)
1:  load_word s4, probe_cause
    addi s4, s4, -NO_TRAP
    snez s4, s4
    check s4, 1
    check_value_label word+2
    on_trap 1f
    amoadd.w s2, s1, (s3)
1:  load_word s4, probe_cause
    addi s4, s4, -NO_TRAP
    snez s4, s4
    check s4, 1
    check_value_label word+2
    lw   s2, 0(s0)
    check s2, B+1
    tail probe_ok

    .section .bss
    .align 12
word:
    .space 2*WORD
    .align 12
far:                             # in no reservation set with word
    .space WORD
