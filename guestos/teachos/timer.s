# timer.s: the kernel's clock.
# Purpose: end time slices, and end waiting that takes too long.
# Mode: S.
# Entry points: timer_now, timer_start, timer_after, timer_interrupt; ticks.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

    .section .text
    .globl timer_now
    .globl timer_start
    .globl timer_after
    .globl timer_interrupt
    .globl ticks

# timer_now: mtime, read so that a carry between the words does no harm.
# In: none.  Out: a0 low, a1 high word.  Clobbers: t0.
timer_now:
    rdtimeh a1
    rdtime  a0
    rdtimeh t0
    bne  t0, a1, timer_now
    ret

# timer_start: the first time slice begins.
# In: none.  Out: none.  Clobbers: t0, a0, a1, a6, a7.
timer_start:
    li   t0, MIP_STIP
    csrs sie, t0
    li   a0, TIMESLICE

# timer_after: the next timer interrupt.
# In: a0 ticks from now.  Out: none.  Clobbers: t0, t1, a0, a1, a6, a7.
timer_after:
    prologue 1
    mv   s0, a0
    call timer_now
    add  a0, a0, s0
    sltu t0, a0, s0              # the carry
    add  a1, a1, t0
    call sbi_set_timer
    epilogue 1

# timer_interrupt: a time slice or a wait is over.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
timer_interrupt:
    prologue 0
    add_word 1, ticks, t0, t1
    li   a0, TIMESLICE
    call timer_after
    call net_timeout
    call sched_yield
    epilogue 0

    .section .bss
    .align 2
ticks:                           # timer interrupts so far
    .space WORD
