# trap.s: traps to the firmware.
# Purpose: save the kernel's registers, tell calls, interrupts and the rest apart, return.
# Mode: M.  mscratch holds the firmware's stack top while the kernel runs, 0 in the firmware.
# Entry points: trap_entry.

    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi/firmware.inc"

.equ INSN_BYTES, 4

    .section .text
    .globl trap_entry

    .align 2
trap_entry:
    csrrw sp, mscratch, sp       # sp = stack top, mscratch = the kernel's sp
    beqz sp, firmware_trap
    addi sp, sp, -FRAME_SIZE
    save_registers
    csrrw t0, mscratch, zero
    sw   t0, FRAME_SP(sp)
    csrr t0, mepc
    sw   t0, FRAME_EPC(sp)
    csrr t1, mstatus
    sw   t1, FRAME_STATUS(sp)

    mv   a0, sp
    csrr t0, mcause
    bltz t0, interrupt
    li   t1, CAUSE_ECALL_S
    bne  t0, t1, 1f
    lw   t2, FRAME_EPC(sp)
    addi t2, t2, INSN_BYTES      # the call returns behind the ecall
    sw   t2, FRAME_EPC(sp)
    call sbi_call
    j    trap_return
1:  call redirect
    j    trap_return

interrupt:
    andi t0, t0, 0xff            # without the interrupt bit
    li   t1, IRQ_MTI
    bne  t0, t1, 1f
    call timer_interrupt
    j    trap_return
1:  li   t1, IRQ_MSI
    bne  t0, t1, trap_return     # only these two are enabled
    call remote_interrupt

trap_return:
    lw   t0, FRAME_EPC(sp)
    csrw mepc, t0
    lw   t1, FRAME_STATUS(sp)
    csrw mstatus, t1
    addi t0, sp, FRAME_SIZE      # the stack is empty again
    csrw mscratch, t0
    restore_registers
    lw   sp, FRAME_SP(sp)
    mret

# A trap in the firmware itself is a bug: end with a code that says so.
firmware_trap:
    li   a0, FAIL_FIRMWARE_TRAP
    la   sp, trap_stack_top
    call finish_fail

    .section .bss
    .align 4
    .space STACK_ALIGN
trap_stack_top:
