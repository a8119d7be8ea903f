# trap.s: into the kernel and out of it.
# Purpose: save and restore the interrupted program; tell user traps from kernel traps.
# Mode: S.  sscratch holds the current process (its trap frame) in user mode, 0 in the kernel.
# Entry points: trap_entry, trap_return_user.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

    .section .text
    .globl trap_entry
    .globl trap_return_user

    .align 2
trap_entry:
    csrrw sp, sscratch, sp       # sp = the process, sscratch = the user's sp; or 0
    beqz sp, from_kernel
    save_registers
    csrrw t0, sscratch, zero
    sw   t0, FRAME_SP(sp)
    csrr t0, sepc
    sw   t0, FRAME_EPC(sp)
    csrr t0, sstatus
    sw   t0, FRAME_STATUS(sp)
    mv   a0, sp
    la   sp, kernel_stack_top    # nothing of the kernel's is under way
    call user_trap
    tail sched_return

# trap_return_user: go on with a process.
# In: a0 process.  Out: does not return.
trap_return_user:
    mv   sp, a0
    csrw sscratch, sp
    lw   t0, FRAME_EPC(sp)
    csrw sepc, t0
    lw   t0, FRAME_STATUS(sp)
    csrw sstatus, t0
    restore_registers
    lw   sp, FRAME_SP(sp)
    sret

# The kernel itself takes interrupts only where it waits for one: its registers go on its stack.
from_kernel:
    csrrw sp, sscratch, zero     # the kernel's sp again
    addi sp, sp, -FRAME_SIZE
    save_registers
    csrr t0, sepc
    sw   t0, FRAME_EPC(sp)
    csrr t0, sstatus
    sw   t0, FRAME_STATUS(sp)
    call kernel_trap
    lw   t0, FRAME_EPC(sp)
    csrw sepc, t0
    lw   t0, FRAME_STATUS(sp)
    csrw sstatus, t0
    restore_registers
    addi sp, sp, FRAME_SIZE
    sret
