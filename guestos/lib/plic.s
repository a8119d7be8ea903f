# plic.s: the platform-level interrupt controller.
# Purpose: enable, claim and complete device interrupts.  Mode: M, or S with it mapped.
# Entry points: plic_enable, plic_claim, plic_complete.

    .include "platform.inc"
    .include "plic.inc"
    .include "abi.inc"

.equ SOURCES_PER_WORD_SHIFT, 5   # 32 enable bits in a word
.equ SOURCE_IN_WORD, 31
.equ WORD_SHIFT, 2

    .section .text
    .globl plic_enable
    .globl plic_claim
    .globl plic_complete

# plic_enable: let a source interrupt a context, with priority 1 over threshold 0.
# In: a0 source, a1 context.  Out: none.  Clobbers: t0-t3.
plic_enable:
    li   t0, PLIC_BASE + PLIC_PRIORITY
    slli t1, a0, WORD_SHIFT
    add  t0, t0, t1
    li   t1, 1
    sw   t1, 0(t0)
    li   t0, PLIC_BASE + PLIC_ENABLE
    slli t2, a1, PLIC_ENABLE_SHIFT
    add  t0, t0, t2
    srli t2, a0, SOURCES_PER_WORD_SHIFT
    slli t2, t2, WORD_SHIFT
    add  t0, t0, t2
    andi t2, a0, SOURCE_IN_WORD
    sll  t1, t1, t2
    lw   t3, 0(t0)
    or   t3, t3, t1
    sw   t3, 0(t0)
    li   t0, PLIC_BASE + PLIC_CONTEXT
    slli t1, a1, PLIC_CONTEXT_SHIFT
    add  t0, t0, t1
    sw   zero, PLIC_THRESHOLD(t0)
    ret

# plic_claim: take the most urgent pending source.
# In: a0 context.  Out: a0 source, 0 if none is pending.  Clobbers: t0, t1.
plic_claim:
    li   t0, PLIC_BASE + PLIC_CONTEXT
    slli t1, a0, PLIC_CONTEXT_SHIFT
    add  t0, t0, t1
    lw   a0, PLIC_CLAIM(t0)
    ret

# plic_complete: the source has been served and may interrupt again.
# In: a0 source, a1 context.  Out: none.  Clobbers: t0, t1.
plic_complete:
    li   t0, PLIC_BASE + PLIC_CONTEXT
    slli t1, a1, PLIC_CONTEXT_SHIFT
    add  t0, t0, t1
    sw   a0, PLIC_CLAIM(t0)
    ret
