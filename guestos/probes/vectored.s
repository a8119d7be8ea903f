# vectored.s: vectored trap handlers.
# Purpose: with mtvec.MODE = 1 interrupts go to BASE + 4 * cause, exceptions to BASE.
# Source: Privileged Architecture, section 3.1.7.  Mode: M, S.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ VECTORED, 1

    probe_begin vectored

    csrr s11, mtvec              # the probe's own handler
    la   t0, vectors
    ori  t0, t0, VECTORED
    csrw mtvec, t0
    csrr s0, mtvec
    check_same s0, t0

    li   s1, -1
    la   s2, 1f
    ecall                        # an exception: BASE
1:  check s1, 0

    li   s10, CLINT_BASE + CLINT_MSIP
    li   t0, 1
    sw   t0, 0(s10)
    li   t0, MIP_MSIP
    csrw mie, t0
    li   s1, -1
    la   s2, 1f
    csrsi mstatus, MSTATUS_MIE
2:  j    2b                      # until it comes
1:  check s1, IRQ_MSI
    sw   zero, 0(s10)

    li   s9, CLINT_BASE + CLINT_MTIMECMP
    sw   zero, WORD(s9)
    sw   zero, 0(s9)
    li   t0, MIP_MTIP
    csrw mie, t0
    li   s1, -1
    la   s2, 1f
    csrsi mstatus, MSTATUS_MIE
2:  j    2b
1:  check s1, IRQ_MTI
    li   t0, CLINT_NEVER
    sw   t0, WORD(s9)
    csrw mie, zero

    # The same in S-mode, with stvec.
    csrw mtvec, s11
    la   t0, vectors_s
    ori  t0, t0, VECTORED
    csrw stvec, t0
    csrr s0, stvec
    check_same s0, t0
    li   t0, MIP_SSIP
    csrw mideleg, t0
    csrw mie, t0
    csrs mip, t0
    li   t0, 1 << CAUSE_BREAKPOINT
    csrw medeleg, t0
    li   s1, -1
    on_trap 1f
    csrci mstatus, MSTATUS_SIE
    enter MSTATUS_MPP_S, 0f
0:  csrsi sstatus, MSTATUS_SIE
2:  j    2b
1:  check_trap CAUSE_ECALL_S
    check s1, IRQ_SSI
    csrw mie, zero
    li   s1, -1
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  ebreak
1:  check_trap CAUSE_ECALL_S
    check s1, 0
    tail probe_ok

# One jump a cause; entry N puts N into s1.  What M-mode's leave, they leave at s2.
    .align 8
vectors:
    j    entry_0
    .rept IRQ_MSI - 1
    j    entry_other
    .endr
    j    entry_msi
    .rept IRQ_MTI - IRQ_MSI - 1
    j    entry_other
    .endr
    j    entry_mti

entry_0:
    li   s1, 0
    j    leave
entry_msi:
    li   s1, IRQ_MSI
    j    leave
entry_mti:
    li   s1, IRQ_MTI
    j    leave
entry_other:
    li   s1, -2
leave:
    csrw mepc, s2
    li   t0, MSTATUS_MPIE
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    mret

    .align 8
vectors_s:
    j    entry_s_0
    j    entry_s_ssi
    .rept IRQ_STI - IRQ_SSI
    j    entry_s_other
    .endr

entry_s_0:
    li   s1, 0
    ecall
entry_s_ssi:
    li   s1, IRQ_SSI
    ecall
entry_s_other:
    li   s1, -2
    ecall
