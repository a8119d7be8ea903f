# proc.s: processes begin and end.
# Purpose: an address space with a program, a stack and a trap frame to start from.
# Mode: S.
# Entry points: proc_create, proc_end; procs, procs_failed.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

.equ PROGRAM_PAGE, PTE_V | PTE_R | PTE_X | PTE_U | PTE_A
.equ STACK_PAGE, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D

    .section .text
    .globl proc_create
    .globl proc_end
    .globl procs
    .globl procs_failed

# proc_create: a process that begins at its program's first byte.
# In: a0 program, a1 its end, a2 name.  Out: none; no room: panic.  Clobbers: t0-t6, a0-a7.
proc_create:
    prologue 6
    mv   s0, a0
    mv   s1, a1
    mv   s2, a2
    la   s3, procs
    li   s4, 1                   # process numbers begin at 1
1:  lw   t0, PROC_STATE(s3)
    beqz t0, 2f
    addi s3, s3, PROC_SIZE
    addi s4, s4, 1
    li   t0, PROCS
    bleu s4, t0, 1b
    la   a0, text_too_many
    tail panic

2:  sw   s4, PROC_PID(s3)
    sw   s2, PROC_NAME(s3)
    call space_new
    sw   a0, PROC_ROOT(s3)
    li   s5, USER_CODE
3:  lw   a0, PROC_ROOT(s3)
    mv   a1, s5
    li   a2, PROGRAM_PAGE
    call space_add
    mv   a1, s0
    sub  a2, s1, s0              # the program's last page may be partly used
    li   t0, PAGE_SIZE
    bleu a2, t0, 4f
    mv   a2, t0
4:  add  s0, s0, a2
    add  s5, s5, t0
    call mem_copy
    bltu s0, s1, 3b
    fence.i                      # what was written is going to be executed

    lw   a0, PROC_ROOT(s3)
    li   a1, USER_STACK
    li   a2, STACK_PAGE
    call space_add
    mv   a0, s3
    li   a1, 0
    li   a2, FRAME_SIZE
    call mem_fill
    li   t0, USER_CODE
    sw   t0, FRAME_EPC(s3)
    li   t0, USER_STACK_TOP
    sw   t0, FRAME_SP(s3)
    li   t0, MSTATUS_SPIE        # to U-mode, with interrupts
    sw   t0, FRAME_STATUS(s3)
    li   t0, PROC_RUNNABLE
    sw   t0, PROC_STATE(s3)

    la   a0, text_process
    call print_str
    mv   a0, s4
    call print_dec
    la   a0, text_is
    call print_str
    mv   a0, s2
    call print_str
    call print_newline
    epilogue 6

# proc_end: a process is over; its memory is free again.
# In: a0 process, a1 exit code.  Out: none.  Clobbers: t0-t6, a0-a7.
proc_end:
    prologue 2
    mv   s0, a0
    mv   s1, a1
    load_word a0, kernel_root    # off the page table that goes away
    call vm_use
    lw   a0, PROC_ROOT(s0)
    call space_free
    sw   zero, PROC_STATE(s0)
    beqz s1, 1f
    add_word 1, procs_failed, t0, t1
1:  la   a0, text_process
    call print_str
    lw   a0, PROC_PID(s0)
    call print_dec
    la   a0, text_ended
    call print_str
    lw   a0, PROC_NAME(s0)
    call print_str
    li   t0, KILLED
    beq  s1, t0, 2f
    la   a0, text_code
    call print_str
    mv   a0, s1
    call print_dec
    call print_newline
    epilogue 2
2:  la   a0, text_killed
    call print_str
    epilogue 2

    .section .rodata
text_too_many:
    .asciz "too many processes"
text_process:
    .asciz "teachos: process "
text_is:
    .asciz " is "
text_ended:
    .asciz ", "
text_code:
    .asciz ", ends with code "
text_killed:
    .asciz ", is stopped\n"

    .section .bss
    .align 4
procs:
    .space PROCS * PROC_SIZE
procs_failed:                    # that ended with another code than 0
    .space WORD
