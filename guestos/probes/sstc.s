# sstc.s: the supervisor's own timer (Sstc).
# Purpose: stimecmp drives STIP, where it may be used, and what it does to mip.
# Source: "stimecmp / vstimecmp" Extension 1.0.0, chapter 2.  Mode: M and S.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ DELAY, 200                  # ticks of mtime
.equ NEVER, -1

    probe_begin sstc

    li   s0, MENVCFGH_STCE       # it can be switched on
    csrw menvcfgh, s0
    csrr s1, menvcfgh
    and  s1, s1, s0
    check_same s1, s0
    li   s0, NEVER               # both halves are kept
    csrw stimecmph, s0
    csrw stimecmp, s0
    csrr s1, stimecmp
    check s1, NEVER
    csrr s1, stimecmph
    check s1, NEVER

    csrr s1, mip                 # STIP is what the comparison says: not pending
    andi s1, s1, MIP_STIP
    check s1, 0
    li   t0, MIP_STIP            # and cannot be written
    csrs mip, t0
    csrr s1, mip
    andi s1, s1, MIP_STIP
    check s1, 0
    csrw stimecmp, zero          # a time that has passed
    csrw stimecmph, zero
1:  csrr s1, mip
    andi s1, s1, MIP_STIP
    beqz s1, 1b
    check s1, MIP_STIP
    li   t0, MIP_STIP
    csrc mip, t0
    csrr s1, mip
    andi s1, s1, MIP_STIP
    check s1, MIP_STIP

    csrw mcounteren, zero        # S-mode needs mcounteren.TM
    on_trap 2f
    enter MSTATUS_MPP_S, read
2:  check_trap CAUSE_ILLEGAL_INSN
    li   t0, MCOUNTEREN_TM       # and menvcfg.STCE
    csrw mcounteren, t0
    csrw menvcfgh, zero
    on_trap 3f
    enter MSTATUS_MPP_S, read
3:  check_trap CAUSE_ILLEGAL_INSN
    csrr s1, stimecmp            # M-mode needs neither
    check s1, 0
    li   t0, MENVCFGH_STCE
    csrw menvcfgh, t0
    on_trap 4f
    enter MSTATUS_MPP_S, read    # both: it may, and then calls
4:  check_trap CAUSE_ECALL_S
    on_trap 5f
    enter MSTATUS_MPP_U, read    # U-mode never may
5:  check_trap CAUSE_ILLEGAL_INSN

    li   t0, NEVER               # an interrupt in S-mode, not before its time
    csrw stimecmph, t0
    li   t0, MIP_STIP
    csrw mideleg, t0
    csrw mie, t0
    la   t0, deadline
    csrw stvec, t0
    on_trap 6f
    enter MSTATUS_MPP_S, sleep
6:  check_trap CAUSE_ECALL_S
    check s2, (1 << 31) | IRQ_STI
    srli s3, s3, 31
    check s3, 0
    check s4, 0
    tail probe_ok

    .align 2
read:                            # in S- or U-mode
    csrr s5, stimecmp
    ecall

    .align 2
sleep:                           # in S-mode
    csrr s6, time
    csrr t1, timeh
    addi s6, s6, DELAY
    sltiu t0, s6, DELAY
    add  t1, t1, t0
    csrw stimecmp, s6
    csrw stimecmph, t1
    csrsi sstatus, SSTATUS_SIE
1:  wfi
    j    1b

    .align 2
deadline:
    csrr s3, time
    sub  s3, s3, s6              # not negative
    csrr s2, scause
    li   t0, NEVER               # a later deadline answers it
    csrw stimecmph, t0
    csrr s4, sip
    andi s4, s4, SIP_STIP
    ecall
