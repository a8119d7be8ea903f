# time.s: the TIME extension.
# Purpose: turn the machine timer into the kernel's timer interrupt.
# Mode: M.
# Entry points: time_call, set_timer, timer_interrupt.

    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"

    .section .text
    .globl time_call
    .globl set_timer
    .globl timer_interrupt

# time_call: one function of TIME.
# In: a0 trap frame.  Out: a0 error, a1 value.  Clobbers: t0, t1.
time_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_TIME_SET_TIMER
    beq  t0, t1, set_timer
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

# set_timer: the kernel's next timer interrupt; the pending one, if any, is answered by this.
# In: a0 trap frame (its a0, a1: mtime).  Out: a0 error, a1 value.  Clobbers: t0, t1.
set_timer:
    prologue 0
    lw   a1, FRAME_A1(a0)
    lw   a0, FRAME_A0(a0)
    call clint_set_deadline
    li   t0, MIP_STIP
    csrc mip, t0
    li   t0, MIP_MTIP
    csrs mie, t0
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 0

# timer_interrupt: the deadline has passed: hand it to the kernel, and be silent until the next.
# In: none.  Out: none.  Clobbers: t0.
timer_interrupt:
    li   t0, MIP_MTIP
    csrc mie, t0
    li   t0, MIP_STIP
    csrs mip, t0
    ret
