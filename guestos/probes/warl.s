# warl.s: fields that take legal values only.
# Purpose: write what is not legal, read something that is.
# Source: Privileged Architecture, sections 2.3 (WARL), 3.1.6.1 (MPP), 3.1.7 (mtvec), 3.1.14 (mepc).
# Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ MISA_C, 1 << 2
.equ MPP_RESERVED, 2 << MSTATUS_MPP_SHIFT
.equ MODE_RESERVED, 3

    probe_begin warl

    li   s0, -1                  # bit 0 is always 0, bit 1 without compressed instructions
    li   s2, 3
    csrr t0, misa
    andi t0, t0, MISA_C
    beqz t0, 1f
    li   s2, 1
1:  csrw mepc, s0
    csrr s1, mepc
    and  s1, s1, s2
    check s1, 0
    csrw sepc, s0
    csrr s1, sepc
    and  s1, s1, s2
    check s1, 0

    li   s0, MSTATUS_MPP         # mode 2 does not exist
    csrc mstatus, s0
    li   s1, MPP_RESERVED
    csrs mstatus, s1
    csrr s2, mstatus
    and  s2, s2, s0
    sub  s2, s2, s1
    snez s2, s2
    check s2, 1

    csrr s11, mtvec              # modes above 1 do not exist
    ori  s0, s11, MODE_RESERVED
    csrw mtvec, s0
    csrr s1, mtvec
    csrw mtvec, s11
    srli s1, s1, 1
    andi s1, s1, 1
    check s1, 0

    li   s0, -1
    csrw medeleg, s0
    csrr s1, medeleg
    li   t0, 1 << CAUSE_ECALL_M  # calls of M cannot be delegated
    and  s1, s1, t0
    check s1, 0
    csrw medeleg, zero
    csrw mie, zero
    csrw sie, s0
    csrr s1, sie                 # none is delegated
    check s1, 0
    csrw mideleg, s0
    csrr s1, mideleg
    li   s2, MIP_SSIP | MIP_STIP | MIP_SEIP
    and  s1, s1, s2
    check_same s1, s2
    csrw mip, zero
    csrw sip, s0                 # S may set SSIP, not STIP and SEIP
    csrr s1, mip
    and  s1, s1, s2
    check s1, MIP_SSIP
    csrw mip, zero
    tail probe_ok
