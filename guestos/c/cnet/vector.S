# vector.S: traps. sscratch holds the trapframe of the user program while it runs, 0 in the kernel.
    .section .text
    .globl trap_vector
    .align 4
trap_vector:
    csrrw sp, sscratch, sp
    bnez sp, 1f
    csrrw sp, sscratch, sp      # from the kernel: on its own stack
    addi sp, sp, -144
    sw   sp, 8(sp)
    j    2f
1:  # from the user: sp is its frame
2:  sw   ra, 4(sp)
    sw   gp, 12(sp)
    sw   tp, 16(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sw   x\n, 4*\n(sp)
    .endr
    csrr t0, sepc
    sw   t0, 0(sp)
    csrr t0, sstatus
    sw   t0, 128(sp)
    andi t0, t0, 1 << 8         # SPP
    bnez t0, from_kernel
    csrrw t0, sscratch, zero
    sw   t0, 8(sp)              # the user's sp
    mv   a0, sp
    lw   sp, 136(a0)            # the kernel's
    call user_trap
    # a0: the frame to go back with
    .globl enter_user
enter_user:
    csrw sscratch, a0
    mv   sp, a0
    j    restore
from_kernel:
    mv   a0, sp
    call kernel_trap
    lw   t0, 128(sp)
    csrw sstatus, t0
    lw   t0, 0(sp)
    csrw sepc, t0
    lw   ra, 4(sp)
    lw   gp, 12(sp)
    lw   tp, 16(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    lw   x\n, 4*\n(sp)
    .endr
    addi sp, sp, 144
    sret
restore:
    lw   t0, 128(sp)
    csrw sstatus, t0
    lw   t0, 0(sp)
    csrw sepc, t0
    lw   ra, 4(sp)
    lw   gp, 12(sp)
    lw   tp, 16(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    lw   x\n, 4*\n(sp)
    .endr
    lw   sp, 8(sp)
    sret

# run_user(frame): into the user program; comes back with its exit code.
    .globl run_user
run_user:
    addi sp, sp, -112
    sw   ra, 0(sp)
    .irp n, 8,9,18,19,20,21,22,23,24,25,26,27
    sw   x\n, 4*\n-28(sp)
    .endr
    sw   sp, 136(a0)
    j    enter_user
# leave_user(frame, code): the other half, called from user_trap.
    .globl leave_user
leave_user:
    lw   sp, 136(a0)
    mv   a0, a1
    lw   ra, 0(sp)
    .irp n, 8,9,18,19,20,21,22,23,24,25,26,27
    lw   x\n, 4*\n-28(sp)
    .endr
    addi sp, sp, 112
    ret
