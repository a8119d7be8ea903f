# call.s: SBI calls, by extension.
# Purpose: find the function, give it the kernel's arguments, put its answer in a0 and a1.
# Mode: M.
# Entry points: sbi_call, sbi_extension_known.
#
# A function gets the trap frame in a0 and returns a0 = error, a1 = value.

    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"

    .section .text
    .globl sbi_call
    .globl sbi_extension_known

# sbi_call: serve one ecall.
# In: a0 trap frame.  Out: a0 (and, but for legacy calls, a1) in the frame.
# Clobbers: t0-t6, a0-a7.
sbi_call:
    prologue 1
    mv   s0, a0
    lw   t0, FRAME_A7(a0)
    li   t1, SBI_EXT_BASE
    bgeu t0, t1, 1f              # below are the legacy extensions
    call legacy_call
    sw   a0, FRAME_A0(s0)
    epilogue 1

1:  bne  t0, t1, 2f
    call base_call
    j    9f
2:  li   t1, SBI_EXT_TIME
    bne  t0, t1, 3f
    call time_call
    j    9f
3:  li   t1, SBI_EXT_SRST
    bne  t0, t1, 4f
    call reset_call
    j    9f
4:  li   t1, SBI_EXT_DBCN
    bne  t0, t1, 5f
    call console_call
    j    9f
5:  li   t1, SBI_EXT_IPI
    bne  t0, t1, 6f
    call ipi_call
    j    9f
6:  li   t1, SBI_EXT_RFENCE
    bne  t0, t1, 7f
    call fence_call
    j    9f
7:  li   t1, SBI_EXT_HSM
    bne  t0, t1, 8f
    call hsm_call
    j    9f
8:  li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
9:  sw   a0, FRAME_A0(s0)
    sw   a1, FRAME_A1(s0)
    epilogue 1

# sbi_extension_known: what BASE's probe answers.
# In: a0 extension.  Out: a0 = 1 if it is served, else 0.  Clobbers: t0, t1.
sbi_extension_known:
    la   t0, known
1:  lw   t1, 0(t0)
    beq  t1, a0, 2f
    addi t0, t0, WORD
    bgez t1, 1b
    li   a0, 0
    ret
2:  li   a0, 1
    ret

    .section .rodata
    .align 2
known:                           # ends with a number that is no extension
    .word SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE, SBI_EXT_HSM
    .word SBI_EXT_SRST, SBI_EXT_DBCN
    .word SBI_LEGACY_SET_TIMER, SBI_LEGACY_PUTCHAR, SBI_LEGACY_GETCHAR, SBI_LEGACY_CLEAR_IPI
    .word SBI_LEGACY_SEND_IPI, SBI_LEGACY_REMOTE_FENCE_I, SBI_LEGACY_REMOTE_SFENCE_VMA
    .word SBI_LEGACY_REMOTE_SFENCE_VMA_ASID, SBI_LEGACY_SHUTDOWN
    .word -1
