# redirect.s: exceptions that belong to the kernel but were not delegated.
# Purpose: do in software what the hart does when it delegates a trap to S-mode.
# Mode: M.
# Entry points: redirect.

    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"

.equ SIE_TO_SPIE, 4              # bits from MSTATUS_SIE to MSTATUS_SPIE
.equ MPP_S_TO_SPP, 3             # bits from MPP = S to MSTATUS_SPP

    .section .text
    .globl redirect

# redirect: let the trap frame return to the kernel's trap handler.
# In: a0 trap frame.  Out: none.  Clobbers: t0-t2.
redirect:
    lw   t0, FRAME_EPC(a0)
    csrw sepc, t0
    csrr t0, mcause
    csrw scause, t0
    csrr t0, mtval
    csrw stval, t0
    csrr t0, stvec
    andi t0, t0, ~STVEC_MODE     # exceptions go to the base in either mode
    sw   t0, FRAME_EPC(a0)

    lw   t0, FRAME_STATUS(a0)
    li   t1, MSTATUS_SPP | MSTATUS_SPIE
    not  t1, t1
    and  t1, t0, t1
    andi t2, t0, MSTATUS_SIE     # SPIE = SIE
    slli t2, t2, SIE_TO_SPIE
    or   t1, t1, t2
    andi t1, t1, ~MSTATUS_SIE    # SIE = 0
    li   t2, MSTATUS_MPP_S
    and  t0, t0, t2              # the trap came from S, not U
    srli t0, t0, MPP_S_TO_SPP
    or   t1, t1, t0              # SPP
    or   t1, t1, t2              # return to S
    sw   t1, FRAME_STATUS(a0)
    ret
