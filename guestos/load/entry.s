# entry.s: the start of a load kernel, a small S-mode kernel that does one thing very often.
# Purpose: two address spaces with the same program, then off to the first process.
# Mode: S, at SBI_KERNEL_BASE, started by the SBI firmware.
# Entry points: _start; kernel_stack_top, procs.  First of the sources.
#
# The program (user_start to user_end, one page) and its name come from another source.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.equ ENTRIES, PAGE_SIZE / WORD
.equ PPN_TO_PTE, PAGE_SHIFT - PTE_PPN_SHIFT
.equ KERNEL_ENTRY, (SBI_KERNEL_BASE >> MEGAPAGE_SHIFT) * WORD
.equ HEAP_ENTRY, (USER_HEAP >> MEGAPAGE_SHIFT) * WORD
.equ CODE_ENTRY, (USER_CODE >> PAGE_SHIFT) * WORD
.equ STACK_ENTRY, (USER_STACK >> PAGE_SHIFT) * WORD

# A and D are set from the start: what is measured is the kernel's own work.
.equ KERNEL_LEAF, PTE_V | PTE_R | PTE_W | PTE_X | PTE_G | PTE_A | PTE_D
.equ CODE_LEAF, PTE_V | PTE_R | PTE_X | PTE_U | PTE_A
.equ STACK_LEAF, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D

    .section .text
    .align PAGE_SHIFT
    .globl _start
    .globl kernel_stack_top
    .globl procs

_start:
    la   sp, kernel_stack_top
    la   t0, trap_entry
    csrw stvec, t0
    csrw sie, zero
    call pv_init
    la   a0, name
    call print_str
    la   a0, text_start
    call print_str

    li   s0, 0                   # number of the process
    la   s1, procs
    la   s2, tables              # three tables each
1:  mv   a0, s0
    mv   a1, s1
    mv   a2, s2
    call space
    li   t0, 3*PAGE_SIZE
    add  s2, s2, t0
    addi s1, s1, PROC_SIZE
    addi s0, s0, 1
    li   t0, LOAD_PROCS
    bne  s0, t0, 1b

    la   a0, procs
    lw   t0, PROC_SATP(a0)
    csrw satp, t0
    sfence.vma
    tail trap_return

# entry RD, PA, FLAGS: a page-table entry.
.macro entry rd, pa, flags
    srli \rd, \pa, PPN_TO_PTE
    ori  \rd, \rd, \flags
.endm

# space: the tables and the frame of one process.
# In: a0 its number, a1 the process, a2 three empty pages.  Out: none.  Clobbers: t0-t3.
space:
    li   t3, PAGE_SIZE
    add  t1, a2, t3              # the table of code and stack
    entry t0, t1, PTE_V
    sw   t0, 0(a2)
    add  t2, t1, t3              # the table of the heap
    entry t0, t2, PTE_V
    sw   t0, HEAP_ENTRY(a2)
    sw   t2, PROC_HEAP(a1)
    li   t2, SBI_KERNEL_BASE
    entry t0, t2, KERNEL_LEAF
    li   t2, KERNEL_ENTRY
    add  t2, t2, a2
    sw   t0, 0(t2)
    la   t2, user_start
    entry t0, t2, CODE_LEAF
    sw   t0, CODE_ENTRY(t1)
    la   t2, stacks
    mul  t0, a0, t3
    add  t2, t2, t0
    entry t0, t2, STACK_LEAF
    sw   t0, STACK_ENTRY(t1)

    srli t0, a2, PAGE_SHIFT
    li   t1, SATP_MODE
    or   t0, t0, t1
    addi t1, a0, 1               # address space identifiers from 1 on
    slli t1, t1, SATP_ASID_SHIFT
    or   t0, t0, t1
    sw   t0, PROC_SATP(a1)
    li   t0, USER_CODE
    sw   t0, FRAME_EPC(a1)
    li   t0, USER_STACK_TOP
    sw   t0, FRAME_SP(a1)
    sw   a0, FRAME_A0(a1)        # each gets its number
    li   t0, MSTATUS_SPIE
    sw   t0, FRAME_STATUS(a1)
    ret

    .section .rodata
text_start:
    .asciz ": start\n"

    .section .bss
    .align PAGE_SHIFT
tables:
    .space LOAD_PROCS * 3 * PAGE_SIZE
stacks:
    .space LOAD_PROCS * PAGE_SIZE
procs:
    .space LOAD_PROCS * PROC_SIZE
    .space KERNEL_STACK_BYTES
    .align 4
kernel_stack_top:
