# trap.s: into a load kernel and out of it, as other kernels do it.
# Purpose: save everything, find out what it was, do it, restore everything.
# Mode: S.  sscratch holds the current process while it runs.
# Entry points: trap_entry, trap_return.

    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.equ INSTRUCTION_BYTES, 4

    .section .text
    .globl trap_entry
    .globl trap_return

    .align 2
trap_entry:
    csrrw sp, sscratch, sp       # sp = the process, sscratch = the user's sp
    save_registers
    csrrw t0, sscratch, zero
    sw   t0, FRAME_SP(sp)
    csrr t0, sepc
    sw   t0, FRAME_EPC(sp)
    csrr t0, sstatus
    sw   t0, FRAME_STATUS(sp)
    mv   s0, sp
    la   sp, kernel_stack_top
    csrr t0, scause
    li   t1, CAUSE_ECALL_U
    beq  t0, t1, system_call
    li   t1, CAUSE_STORE_PAGE_FAULT
    bne  t0, t1, unexpected
    mv   a0, s0
    csrr a1, stval
    call heap_fault
    mv   a0, s0
    j    trap_return

# system_call: by the number in a7.
# In: s0 process.  Out: does not return.
system_call:
    lw   t0, FRAME_EPC(s0)
    addi t0, t0, INSTRUCTION_BYTES
    sw   t0, FRAME_EPC(s0)
    lw   a0, FRAME_A0(s0)
    lw   t0, FRAME_A7(s0)
    li   t1, SYS_EXIT
    bgtu t0, t1, unexpected
    slli t0, t0, 2
    la   t1, calls
    add  t0, t0, t1
    lw   t0, 0(t0)
    jr   t0

call_null:
    addi a0, a0, 1
    sw   a0, FRAME_A0(s0)
    mv   a0, s0
    j    trap_return

call_release:
    mv   a0, s0
    call heap_release
    mv   a0, s0
    j    trap_return

# The other process: another root, another identifier; the TLB keeps both.
call_yield:
    la   a0, procs
    bne  a0, s0, 1f
    addi a0, a0, PROC_SIZE
1:  lw   t0, PROC_SATP(a0)
    csrw satp, t0

# trap_return: go on with a process.
# In: a0 process, whose space is in use.  Out: does not return.
trap_return:
    mv   sp, a0
    csrw sscratch, sp
    lw   t0, FRAME_EPC(sp)
    csrw sepc, t0
    lw   t0, FRAME_STATUS(sp)
    csrw sstatus, t0
    restore_registers
    lw   sp, FRAME_SP(sp)
    sret

call_exit:
    mv   s1, a0
    la   a0, name
    call print_str
    la   a0, text_done
    call print_str
    li   a0, SBI_SRST_NO_REASON
    beqz s1, 1f
    li   a0, SBI_SRST_SYSTEM_FAILURE
1:  tail sbi_shutdown

unexpected:
    la   a0, text_trap
    call print_str
    csrr a0, scause
    call print_hex
    csrr a0, sepc
    call print_hex
    call print_newline
    li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

    .section .rodata
    .align 2
calls:                           # by number
    .word call_null, call_yield, call_release, call_exit
text_done:
    .asciz ": done\n"
text_trap:
    .asciz "load: unexpected trap, cause and pc "
