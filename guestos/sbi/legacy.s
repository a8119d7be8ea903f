# legacy.s: the calls of SBI 0.1, still used by small kernels.
# Purpose: set_timer, putchar, getchar, the interrupts and fences of other harts, shutdown.
# Mode: M.
# Entry points: legacy_call.

    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

    .section .text
    .globl legacy_call

# legacy_call: one legacy call; its number is the extension.
# In: a0 trap frame.  Out: a0 error or value.  Clobbers: t0-t6, a1, a2.
legacy_call:
    lw   t0, FRAME_A7(a0)
    li   t1, SBI_LEGACY_LAST
    bgtu t0, t1, unknown
    slli t0, t0, 2
    la   t1, functions
    add  t1, t1, t0
    lw   t1, 0(t1)
    jr   t1

unknown:
    li   a0, SBI_ERR_NOT_SUPPORTED
    ret

putchar:
    prologue 0
    lw   a0, FRAME_A0(a0)
    call uart_putc
    li   a0, SBI_SUCCESS
    epilogue 0

# clear_ipi: was this hart's software interrupt pending?
clear_ipi:
    csrr a0, mip
    andi a0, a0, MIP_SSIP
    srli a0, a0, 1               # SSIP is bit 1
    csrci mip, MIP_SSIP
    ret

send_ipi:
    li   a1, REQUEST_INTERRUPT
    j    send
remote_fence:
    li   a1, REQUEST_FENCE
# send: to the harts of the mask at the kernel's virtual address in its a0; 0 means all of them.
send:
    prologue 1
    mv   s0, a1
    lw   t0, FRAME_A0(a0)
    li   a0, 0
    li   a1, SBI_ALL_HARTS
    beqz t0, 1f
    la   t1, unreadable
    csrw mtvec, t1
    li   t1, MSTATUS_MPRV        # load as the kernel would
    csrs mstatus, t1
    lw   a0, 0(t0)
    csrc mstatus, t1
    la   t1, trap_entry
    csrw mtvec, t1
    li   a1, 0
1:  call remote_mask
    bltz a0, 2f
    mv   a1, s0
    call remote_send
    li   a0, SBI_SUCCESS
    epilogue 1
2:  li   a0, SBI_ERR_INVALID_PARAM
    epilogue 1

# mepc and mstatus, which the fault has overwritten, are in the trap frame.
    .align 2
unreadable:
    li   t1, MSTATUS_MPRV
    csrc mstatus, t1
    la   t1, trap_entry
    csrw mtvec, t1
    li   a0, SBI_ERR_INVALID_ADDRESS
    epilogue 1

    .section .rodata
    .align 2
functions:                       # by number
    .word set_timer, putchar, uart_getc, clear_ipi, send_ipi
    .word remote_fence, remote_fence, remote_fence, shutdown
