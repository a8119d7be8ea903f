# legacy.s: the calls of SBI 0.1, still used by small kernels.
# Purpose: set_timer, putchar, getchar, shutdown; the others are not supported.
# Mode: M.
# Entry points: legacy_call.

    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"

    .section .text
    .globl legacy_call

# legacy_call: one legacy call; its number is the extension.
# In: a0 trap frame.  Out: a0 error or value.  Clobbers: t0-t2, a1.
legacy_call:
    lw   t0, FRAME_A7(a0)
    li   t1, SBI_LEGACY_SET_TIMER
    beq  t0, t1, 1f
    li   t1, SBI_LEGACY_PUTCHAR
    beq  t0, t1, 2f
    li   t1, SBI_LEGACY_GETCHAR
    beq  t0, t1, 3f
    li   t1, SBI_LEGACY_SHUTDOWN
    beq  t0, t1, 4f
    li   a0, SBI_ERR_NOT_SUPPORTED
    ret
1:  tail set_timer
2:  prologue 0
    lw   a0, FRAME_A0(a0)
    call uart_putc
    li   a0, SBI_SUCCESS
    epilogue 0
3:  tail uart_getc
4:  tail shutdown
