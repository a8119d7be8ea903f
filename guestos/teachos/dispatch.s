# dispatch.s: what a trap is about.
# Purpose: hand traps to the timer, the devices, the system calls; end programs that fault.
# Mode: S.
# Entry points: user_trap, kernel_trap, panic.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "teachos/teachos.inc"

.equ CAUSE_NUMBER, 0xff          # without the interrupt bit

    .section .text
    .globl user_trap
    .globl kernel_trap
    .globl panic

# user_trap: a program was interrupted, has called or has faulted.
# In: a0 process.  Out: none.  Clobbers: t0-t6, a0-a7.
user_trap:
    csrr t0, scause
    bltz t0, interrupt
    li   t1, CAUSE_ECALL_U
    bne  t0, t1, 1f
    tail syscall

1:  prologue 1
    mv   s0, a0
    la   a0, text_fault
    call print_str
    lw   a0, PROC_PID(s0)
    call print_dec
    call print_trap
    mv   a0, s0
    li   a1, KILLED
    call proc_end
    epilogue 1

# kernel_trap: an interrupt while the kernel waited; anything else is a bug.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
kernel_trap:
    csrr t0, scause
    bltz t0, interrupt
    prologue 0
    la   a0, text_kernel
    call print_str
    call print_trap
    la   a0, text_bug
    tail panic

# interrupt: the timer or a device.
# In: t0 scause.  Out: none.  Clobbers: t0-t6, a0-a7.
interrupt:
    andi t0, t0, CAUSE_NUMBER
    li   t1, IRQ_STI
    bne  t0, t1, 1f
    tail timer_interrupt
1:  li   t1, IRQ_SEI
    bne  t0, t1, 2f
    tail devices_interrupt
2:  ret

# print_trap: the three words about a trap.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
print_trap:
    prologue 0
    la   a0, text_cause
    call print_str
    csrr a0, scause
    call print_dec
    la   a0, text_at
    call print_str
    csrr a0, sepc
    call print_hex
    la   a0, text_value
    call print_str
    csrr a0, stval
    call print_hex
    call print_newline
    epilogue 0

# panic: the kernel cannot go on: say why and switch off with the reason "failure".
# In: a0 text.  Out: does not return.
panic:
    csrci sstatus, MSTATUS_SIE
    mv   s0, a0
    la   a0, text_panic
    call print_str
    mv   a0, s0
    call print_str
    call print_newline
    li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

    .section .rodata
text_fault:
    .asciz "teachos: process "
text_kernel:
    .asciz "teachos: kernel"
text_cause:
    .asciz ": trap, cause "
text_at:
    .asciz " at "
text_value:
    .asciz ", value "
text_bug:
    .asciz "trap in the kernel"
text_panic:
    .asciz "teachos: panic: "
