# time.s: the TIME extension.
# Purpose: turn the machine timer into the kernel's timer interrupt; with Sstc the kernel has one
# of its own, and set_timer sets that.
# Mode: M.
# Entry points: time_call, set_timer, timer_interrupt, time_never.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "clint.inc"
    .include "frame.inc"
    .include "sbi.inc"

.equ DEADLINE_SHIFT, 3           # bytes of a mtimecmp, as a shift

    .section .text
    .globl time_call
    .globl set_timer
    .globl timer_interrupt
    .globl time_never

# time_call: one function of TIME.
# In: a0 trap frame.  Out: a0 error, a1 value.  Clobbers: t0-t3, a2.
time_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_TIME_SET_TIMER
    beq  t0, t1, set_timer
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

# set_timer: the kernel's next timer interrupt; the pending one, if any, is answered by this.
# In: a0 trap frame (its a0, a1: mtime).  Out: a0 error, a1 value.  Clobbers: t0-t3, a2.
set_timer:
    prologue 0
    lw   a1, FRAME_A1(a0)
    lw   a0, FRAME_A0(a0)
    call deadline
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 0

# time_never: no timer interrupt until the next set_timer.
# In: none.  Out: none.  Clobbers: t0-t3, a0-a2.
time_never:
    li   a0, CLINT_NEVER
    li   a1, CLINT_NEVER

# deadline: the one of this hart.
# In: a0 low, a1 high word.  Out: none.  Clobbers: t0-t3, a2.
deadline:
    la   t0, clint               # a hart without menvcfgh has no stimecmp either
    csrrw t3, mtvec, t0
    csrr t1, menvcfgh
    csrw mtvec, t3
    bgez t1, 1f                  # STCE is the top bit
    li   t1, CLINT_NEVER
    csrw stimecmph, t1
    csrw stimecmp, a0
    csrw stimecmph, a1
    ret
    .align 2
clint:
    csrw mtvec, t3
1:  csrr t2, mhartid
    slli t2, t2, DEADLINE_SHIFT
    li   t0, CLINT_BASE + CLINT_MTIMECMP
    add  t0, t0, t2
    li   t1, CLINT_NEVER         # first, so that no half-written deadline fires
    sw   t1, WORD(t0)
    sw   a0, 0(t0)
    sw   a1, WORD(t0)
    li   t0, MIP_STIP
    csrc mip, t0
    li   t0, MIP_MTIP
    csrs mie, t0
    ret

# timer_interrupt: the deadline has passed: hand it to the kernel, and be silent until the next.
# In: none.  Out: none.  Clobbers: t0.
timer_interrupt:
    li   t0, MIP_MTIP
    csrc mie, t0
    li   t0, MIP_STIP
    csrs mip, t0
    ret
