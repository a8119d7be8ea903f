# mprv.s: mstatus.MPRV when M-mode is left.
# Purpose: mret to another mode than M, and sret, switch it off; mret to M keeps it.
# Source: Privileged Architecture 1.12, section 3.1.6.1.  Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"

    probe_begin mprv

    li   s0, MSTATUS_MPRV
    csrs mstatus, s0
    on_trap 1f
    enter MSTATUS_MPP_U, 0f
0:  ecall
1:  csrr s1, mstatus
    csrc mstatus, s0
    check_trap CAUSE_ECALL_U
    and  s1, s1, s0
    check s1, 0

    csrs mstatus, s0
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  ecall
1:  csrr s1, mstatus
    csrc mstatus, s0
    check_trap CAUSE_ECALL_S
    and  s1, s1, s0
    check s1, 0

    csrs mstatus, s0
    la   t0, 1f
    csrw mepc, t0
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    mret
1:  csrr s1, mstatus
    csrc mstatus, s0
    and  s1, s1, s0
    check_same s1, s0

    csrs mstatus, s0             # sret of M-mode leaves to S or U
    la   t0, 0f
    csrw sepc, t0
    li   t0, MSTATUS_SPP
    csrs mstatus, t0
    on_trap 1f
    sret
0:  ecall
1:  csrr s1, mstatus
    csrc mstatus, s0
    check_trap CAUSE_ECALL_S
    and  s1, s1, s0
    check s1, 0
    tail probe_ok
