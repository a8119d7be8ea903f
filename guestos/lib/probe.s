# probe.s: the frame of a probe, a tiny guest that checks itself.
# Purpose: start it, catch its traps; lib/probe_report.s counts, reports and ends.
# Mode: M, at RAM_BASE; the probe itself also visits S and U.
# Entry points: _start; probe_resume, probe_cause, probe_epc, probe_value, probe_status.
# The probe provides probe_main.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"

.equ STACK_BYTES, 4096
.equ PMP_OPEN, (PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 24 # entry 15 is the top byte of pmpcfg3
.equ PMP_EVERYTHING, -1

    .section .text
    .globl _start
    .globl probe_resume
    .globl probe_cause
    .globl probe_epc
    .globl probe_value
    .globl probe_status

_start:
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, probe_park
    la   sp, stack_top
    la   t0, 1f                  # a hart without PMP traps here: nothing to open
    csrw mtvec, t0
    li   t0, PMP_EVERYTHING      # the last entry, so that a probe can use the ones before it
    csrw pmpaddr15, t0
    li   t0, PMP_OPEN
    csrw pmpcfg3, t0
    .align 2
1:  la   t0, trap
    csrw mtvec, t0
    la   t0, scratch
    csrw mscratch, t0
    call probe_main
    tail probe_ok

# trap: note what it was, go on in M-mode where on_trap said.
    .align 2
trap:
    csrrw sp, mscratch, sp
    sw   t0, 0*WORD(sp)
    sw   t1, 1*WORD(sp)
    la   t0, probe_cause
    csrr t1, mcause
    sw   t1, 0(t0)
    la   t0, probe_epc
    csrr t1, mepc
    sw   t1, 0(t0)
    la   t0, probe_value
    csrr t1, mtval
    sw   t1, 0(t0)
    la   t0, probe_status
    csrr t1, mstatus
    sw   t1, 0(t0)
    la   t0, probe_resume
    lw   t1, 0(t0)
    beqz t1, unexpected
    sw   zero, 0(t0)
    csrw mepc, t1
    li   t0, MSTATUS_MPIE
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    lw   t0, 0*WORD(sp)
    lw   t1, 1*WORD(sp)
    csrrw sp, mscratch, sp
    mret

unexpected:
    la   sp, stack_top
    tail probe_trapped

    .section .bss
    .align 4
    .space STACK_BYTES
stack_top:
scratch:
    .space 2*WORD
probe_resume:
    .space WORD
probe_cause:
    .space WORD
probe_epc:
    .space WORD
probe_value:
    .space WORD
probe_status:
    .space WORD
