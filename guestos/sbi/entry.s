# entry.s: the firmware's start.
# Purpose: prepare the hart for a kernel in S-mode and start that at SBI_KERNEL_BASE.
# Mode: M, at RAM_BASE.  In: a0 hart number, a1 address of the device tree.
# Entry points: _start.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

# Exceptions that go straight to the kernel.  The others reach trap.s, which hands those that
# are not calls on to the kernel, as OpenSBI does.
.equ DELEGATED_EXCEPTIONS, (1 << CAUSE_INSN_MISALIGNED) | (1 << CAUSE_BREAKPOINT) | (1 << CAUSE_ECALL_U) | (1 << CAUSE_INSN_PAGE_FAULT) | (1 << CAUSE_LOAD_PAGE_FAULT) | (1 << CAUSE_STORE_PAGE_FAULT)
.equ DELEGATED_INTERRUPTS, MIP_SSIP | MIP_STIP | MIP_SEIP
.equ COUNTERS, MCOUNTEREN_CY | MCOUNTEREN_TM | MCOUNTEREN_IR

# PMP entry 0 closes the firmware's memory to S and U, entry 1 opens everything else.
.equ PMP_FIRMWARE, (RAM_BASE >> 2) | ((FIRMWARE_BYTES >> 3) - 1)
.equ PMP_EVERYTHING, -1
.equ PMP_CONFIG, PMP_NAPOT | ((PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 8)

    .section .text
    .globl _start

_start:
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, park                # one hart is enough
    la   sp, stack_top
    mv   s0, a0
    mv   s1, a1
    call uart_init
    li   s2, SBI_KERNEL_BASE
    lw   t0, 0(s2)
    beqz t0, no_kernel

    la   t0, 1f                  # a hart without PMP traps here: nothing to open
    csrw mtvec, t0
    li   t0, PMP_FIRMWARE
    csrw pmpaddr0, t0
    li   t0, PMP_EVERYTHING
    csrw pmpaddr1, t0
    li   t0, PMP_CONFIG
    csrw pmpcfg0, t0
    .align 2
1:  la   t0, trap_entry
    csrw mtvec, t0
    csrw mscratch, sp
    li   t0, DELEGATED_EXCEPTIONS
    csrw medeleg, t0
    li   t0, DELEGATED_INTERRUPTS
    csrw mideleg, t0
    li   t0, COUNTERS
    csrw mcounteren, t0

    csrw satp, zero
    csrw sie, zero
    csrw stvec, s2
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_S
    csrs mstatus, t0
    csrw mepc, s2
    mv   a0, s0
    mv   a1, s1
    mret

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
    .space FIRMWARE_STACK_BYTES
stack_top:
