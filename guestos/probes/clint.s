# clint.s: the core-local interruptor.
# Purpose: the clock moves, deadlines and software interrupts show in mip.
# Source: SiFive FU540 manual, chapter 9.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ DELAY, 200                  # ticks of mtime

    probe_begin clint

    li   s0, CLINT_BASE
    li   s10, CLINT_BASE + CLINT_MTIMECMP
    li   s9, CLINT_BASE + CLINT_MTIME
    li   s1, CLINT_NEVER
    sw   s1, WORD(s10)
    sw   s1, 0(s10)

    sw   s1, CLINT_MSIP(s0)      # one bit, whatever is written
    lw   s2, CLINT_MSIP(s0)
    check s2, 1
    csrr s2, mip
    andi s2, s2, MIP_MSIP | MIP_MTIP
    check s2, MIP_MSIP
    sw   zero, CLINT_MSIP(s0)
    lw   s2, CLINT_MSIP(s0)
    check s2, 0
    csrr s2, mip
    andi s2, s2, MIP_MSIP | MIP_MTIP
    check s2, 0

    lw   s2, 0(s9)               # the clock
1:  lw   s3, 0(s9)
    beq  s2, s3, 1b
    sub  s3, s3, s2
    sgtz s3, s3
    check s3, 1

    li   t0, 0x12345678          # a deadline is kept
    sw   t0, 0(s10)
    lw   s2, 0(s10)
    check s2, 0x12345678
    lw   s2, WORD(s10)
    check s2, CLINT_NEVER

    call clint_time              # a deadline soon: not yet pending, later pending
    addi s2, a0, DELAY
    sltu t0, s2, a0
    add  a1, a1, t0
    mv   a0, s2
    call clint_set_deadline
1:  csrr s4, mip
    lw   s3, 0(s9)
    andi s4, s4, MIP_MTIP
    beqz s4, 1b
    sub  s3, s3, s2
    srli s3, s3, 31              # not before the deadline
    check s3, 0
    sw   zero, WORD(s10)         # in the past: at once
    sw   zero, 0(s10)
1:  csrr s4, mip
    andi s4, s4, MIP_MTIP
    beqz s4, 1b
    sw   s1, WORD(s10)           # never: not pending any more
1:  csrr s4, mip
    andi s4, s4, MIP_MTIP
    bnez s4, 1b
    tail probe_ok
