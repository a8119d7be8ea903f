# deleg.s: delegation of traps to S-mode.
# Purpose: which traps go to S and which to M, and what S-mode sees of them.
# Source: Privileged Architecture, sections 3.1.8 (medeleg, mideleg), 4.1.1 (sstatus), 4.1.6 (sepc)
# and following.  Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"

    probe_begin deleg

    la   t0, handler
    csrw stvec, t0
    li   t0, (1 << CAUSE_ECALL_U) | (1 << CAUSE_BREAKPOINT)
    csrw medeleg, t0
    csrr s0, medeleg
    check_same s0, t0
    li   t0, MIP_SSIP
    csrw mideleg, t0

    # A delegated exception from U goes to S, which calls M.
    li   s0, 0
    csrsi sstatus, MSTATUS_SIE
    on_trap 1f
    enter MSTATUS_MPP_U, from_u
from_u:
    ecall
1:  check_trap CAUSE_ECALL_S
    check s0, 1                  # the handler was there once
    check s1, CAUSE_ECALL_U
    check_label s2, from_u
    check s3, 0
    andi s4, s4, MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE
    check s4, MSTATUS_SPIE       # from U, interrupts were on and are off

    # The same from S: SPP = 1.
    csrci sstatus, MSTATUS_SIE
    on_trap 1f
    enter MSTATUS_MPP_S, from_s
from_s:
    ebreak
1:  check_trap CAUSE_ECALL_S
    check s0, 2
    check s1, CAUSE_BREAKPOINT
    check_label s2, from_s
    andi s4, s4, MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE
    check s4, MSTATUS_SPP

    # One that is not delegated goes to M.
    on_trap 1f
    enter MSTATUS_MPP_U, 0f
0:  .word 0
1:  check_trap CAUSE_ILLEGAL_INSN
    check s0, 2

    # A trap in M is never delegated.
    on_trap 1f
    ebreak
1:  check_trap CAUSE_BREAKPOINT
    check s0, 2

    # A delegated interrupt does not disturb M, ...
    li   t0, MIP_SSIP
    csrs mie, t0
    csrs mip, t0
    csrsi mstatus, MSTATUS_MIE
    nop
    csrci mstatus, MSTATUS_MIE
    check s0, 2
    # ... waits in S while SIE is 0, ...
    csrci sstatus, MSTATUS_SIE
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  nop
    ecall
1:  check_trap CAUSE_ECALL_S
    check s0, 2
    # ... and is taken in U whatever SIE is.
    on_trap 1f
    enter MSTATUS_MPP_U, from_u_again
from_u_again:
    ecall
1:  check_trap CAUSE_ECALL_S
    check s0, 3
    check s1, CAUSE_INTERRUPT | IRQ_SSI
    check_label s2, from_u_again

    # sie and sip show the delegated bits of mie and mip only.
    li   t0, MIP_SSIP | MIP_STIP
    csrw mie, t0
    csrs mip, t0
    csrr s1, sie
    check s1, MIP_SSIP
    csrr s1, sip
    check s1, MIP_SSIP
    csrw sip, zero               # S may clear SSIP
    csrr s1, mip
    andi s1, s1, MIP_SSIP
    check s1, 0
    csrw mie, zero
    csrw mip, zero

    # sret returns to SPP with SIE = SPIE.
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  la   t0, 2f
    csrw sepc, t0
    li   t0, MSTATUS_SPP
    csrc sstatus, t0
    csrsi sstatus, MSTATUS_SIE   # cleared by sret, as SPIE is 0
    li   t0, MSTATUS_SPIE
    csrc sstatus, t0
    sret
2:  .word 0                      # in U now
1:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 2b
    load_word s1, probe_status
    li   t0, MSTATUS_MPP | MSTATUS_SIE | MSTATUS_SPIE
    and  s1, s1, t0
    check s1, MSTATUS_SPIE       # MPP = U
    tail probe_ok

# handler: the trap handler in S-mode: count, keep, call M.
    .align 2
handler:
    addi s0, s0, 1
    csrr s1, scause
    csrr s2, sepc
    csrr s3, stval
    csrr s4, sstatus
    ecall
