# entry.s: the firmware's start.
# Purpose: prepare every hart; hart 0 starts the kernel in S-mode at SBI_KERNEL_BASE, the others
# wait until it starts them (HSM).
# Mode: M, at RAM_BASE.  In: a0 hart number, a1 address of the device tree.
# Entry points: _start, firmware_stack_top.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

    .section .text
    .globl _start
    .globl firmware_stack_top

_start:
    csrw mie, zero
    csrr t0, mhartid
    li   t1, MAX_HARTS
    bgeu t0, t1, park            # more than there is memory for
    la   sp, firmware_stack_top
    slli t1, t0, FIRMWARE_STACK_SHIFT
    sub  sp, sp, t1
    mv   s1, a1
    bnez t0, other
    call uart_init
    li   s2, SBI_KERNEL_BASE
    lw   t0, 0(s2)
    beqz t0, no_kernel
    call harts_count
    call hart_prepare
    call hart_own
    li   t0, SBI_HSM_STARTED
    sw   t0, HART_STATE(a0)
    mv   a0, s2
    mv   a1, s1
    tail hart_enter

other:
    call hart_prepare
    tail hart_wait

no_kernel:
    la   s0, text_no_kernel
1:  lbu  a0, 0(s0)
    beqz a0, 2f
    call uart_putc
    addi s0, s0, 1
    j    1b
2:  li   a0, FAIL_NO_KERNEL
    call finish_fail

park:
    wfi
    j    park

    .section .rodata
text_no_kernel:
    .asciz "sbi: no kernel at 0x80400000: give one with -kernel FILE\n"

    .section .bss
    .align 4
    .space MAX_HARTS * FIRMWARE_STACK_BYTES
firmware_stack_top:
