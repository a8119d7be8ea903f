# privilege.s: instructions that a mode may not execute.
# Purpose: returns, fences and satp below the mode they need; TSR and TVM.
# Source: Privileged Architecture, sections 3.1.6.5 (TVM, TSR), 3.3.2 (xRET), 4.2.1 (sfence.vma).
# Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"

.macro read_satp
    csrr t0, satp
.endm

.macro write_satp
    csrw satp, zero
.endm

.macro read_sepc
    csrr t0, sepc
.endm

# illegal MPP, INSN: it must not be executed in that mode.
.macro illegal mpp, insn
    on_trap 9f
    enter \mpp, 8f
8:  \insn
    ecall
9:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 8b
.endm

# legal INSN: S-mode may.
.macro legal insn
    on_trap 9f
    enter MSTATUS_MPP_S, 8f
8:  \insn
    ecall
9:  check_trap CAUSE_ECALL_S
.endm

    probe_begin privilege

    illegal MSTATUS_MPP_U, mret
    illegal MSTATUS_MPP_S, mret
    illegal MSTATUS_MPP_U, sret
    illegal MSTATUS_MPP_U, sfence.vma
    legal sfence.vma
    illegal MSTATUS_MPP_U, read_satp
    legal read_satp

    li   s0, MSTATUS_TVM         # for hypervisors: trap what touches translation, ...
    csrs mstatus, s0
    illegal MSTATUS_MPP_S, sfence.vma
    illegal MSTATUS_MPP_S, read_satp
    illegal MSTATUS_MPP_S, write_satp
    legal read_sepc
    csrr t0, satp                # not in M
    sfence.vma
    csrc mstatus, s0
    legal write_satp

    li   s0, MSTATUS_TSR         # ... and returns
    csrs mstatus, s0
    illegal MSTATUS_MPP_S, sret
    csrc mstatus, s0
    la   s1, 2f
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  csrw sepc, s1
    sret
2:  ecall                        # in U: SPP was 0
1:  check_trap CAUSE_ECALL_U

    csrr s0, satp                # nothing above has changed it
    check s0, 0
    tail probe_ok
