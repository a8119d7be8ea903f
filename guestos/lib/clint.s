# clint.s: the core-local interruptor's clock, for kernels in M-mode.
# Purpose: read mtime, set the deadline of hart 0.  Mode: M.
# Entry points: clint_time, clint_set_deadline.

    .include "platform.inc"
    .include "clint.inc"
    .include "abi.inc"

    .section .text
    .globl clint_time
    .globl clint_set_deadline

# clint_time: the 64 bits of mtime, read so that a carry between the words does no harm.
# In: none.  Out: a0 low, a1 high word.  Clobbers: t0, t1.
clint_time:
    li   t0, CLINT_BASE + CLINT_MTIME
1:  lw   a1, WORD(t0)
    lw   a0, 0(t0)
    lw   t1, WORD(t0)
    bne  a1, t1, 1b
    ret

# clint_set_deadline: when the timer interrupt of hart 0 is to come.
# The upper word is first set to "never", so that no half-written deadline fires.
# In: a0 low, a1 high word.  Out: none.  Clobbers: t0, t1.
clint_set_deadline:
    li   t0, CLINT_BASE + CLINT_MTIMECMP
    li   t1, CLINT_NEVER
    sw   t1, WORD(t0)
    sw   a0, 0(t0)
    sw   a1, WORD(t0)
    ret
