# modes.s: who may touch which page.
# Purpose: U pages for S with and without SUM, MXR, M-mode through MPRV.
# Source: Privileged Architecture, sections 3.1.6.3 (MPRV, MXR, SUM) and 4.3.1.  Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "probes/sv32.inc"

.equ DATA, 0x0badcafe
.equ USER_RW, PAGE_RW | PTE_U
.equ USER_X, PTE_V | PTE_X | PTE_U | PTE_A
.equ KERNEL_X, PTE_V | PTE_X | PTE_A
.equ ECALL, 0x00000073

# load_in MPP, CAUSE: a load from VIRTUAL in a mode ends so (an ecall's cause: it succeeded).
# The code for U-mode is in VIRTUAL's second page.
.macro load_in mpp, cause
    li   s2, 0
    on_trap 9f
    li   t6, VIRTUAL+PAGE_SIZE
    .if \mpp == MSTATUS_MPP_S
    la   t6, load_and_call
    .endif
    csrw mepc, t6
    li   t6, MSTATUS_MPP
    csrc mstatus, t6
    li   t6, \mpp
    csrs mstatus, t6
    mret
9:  check_trap \cause
.endm

    probe_begin modes

    tables
    satp_value s0
    csrw satp, s0
    la   t0, page
    li   t1, DATA
    sw   t1, 0(t0)
    la   t0, load_and_call       # the same two instructions for U-mode
    la   t1, page_2
    lw   t2, 0(t0)
    sw   t2, 0(t1)
    lw   t2, WORD(t0)
    sw   t2, WORD(t1)
    fence.i
    pte  t1, page_2, USER_X
    sw   t1, WORD(s11)
    li   s1, VIRTUAL
    li   s10, MSTATUS_SUM
    li   s9, MSTATUS_MXR
    csrc mstatus, s10
    csrc mstatus, s9

    set_entry page, USER_RW      # a user's page: U yes, S only with SUM
    load_in MSTATUS_MPP_U, CAUSE_ECALL_U
    check s2, DATA
    load_in MSTATUS_MPP_S, CAUSE_LOAD_PAGE_FAULT
    csrs mstatus, s10
    load_in MSTATUS_MPP_S, CAUSE_ECALL_S
    check s2, DATA
    csrc mstatus, s10

    set_entry page, PAGE_RW      # the kernel's page: S only
    load_in MSTATUS_MPP_S, CAUSE_ECALL_S
    load_in MSTATUS_MPP_U, CAUSE_LOAD_PAGE_FAULT
    check_value VIRTUAL

    set_entry page, KERNEL_X     # an execute-only page: readable with MXR
    load_in MSTATUS_MPP_S, CAUSE_LOAD_PAGE_FAULT
    csrs mstatus, s9
    load_in MSTATUS_MPP_S, CAUSE_ECALL_S
    check s2, DATA
    csrc mstatus, s9

    # S never executes a user's page, SUM or not.
    csrs mstatus, s10
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  li   s3, VIRTUAL+PAGE_SIZE
    jr   s3
1:  check_trap CAUSE_INSN_PAGE_FAULT
    csrc mstatus, s10

    # MPRV: loads and stores of M-mode as the mode in MPP; fetches stay M-mode's.
    set_entry page, USER_RW
    li   s4, MSTATUS_MPRV
    li   t0, MSTATUS_MPP
    csrc mstatus, t0             # U
    csrs mstatus, s4
    lw   s2, 0(s1)
    csrc mstatus, s4
    check s2, DATA
    li   t0, MSTATUS_MPP_S
    csrs mstatus, t0
    on_trap 1f
    csrs mstatus, s4
0:  lw   s2, 0(s1)
    csrc mstatus, s4
1:  csrc mstatus, s4
    check_trap CAUSE_LOAD_PAGE_FAULT
    check_epc 0b
    li   t0, MSTATUS_MPP         # the trap came from M, and says so
    load_word s2, probe_status
    and  s2, s2, t0
    check s2, MSTATUS_MPP_M
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_S
    csrs mstatus, t0
    csrs mstatus, s10            # with SUM the same access succeeds
    csrs mstatus, s4
    lw   s2, 0(s1)
    csrc mstatus, s4
    csrc mstatus, s10
    check s2, DATA

    csrw satp, zero
    tail probe_ok

    .align 3
load_and_call:
    lw   s2, 0(s1)
    ecall

    table_memory
