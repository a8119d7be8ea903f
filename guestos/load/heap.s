# heap.s: memory on demand.
# Purpose: give a zeroed page to the address that faulted; take all of them back.
# Mode: S.
# Entry points: heap_fault, heap_release.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "frame.inc"
    .include "load/load.inc"

.equ PPN_TO_PTE, PAGE_SHIFT - PTE_PPN_SHIFT
.equ HEAP_LEAF, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D
.equ BURST, 8*WORD

    .section .text
    .globl heap_fault
    .globl heap_release

# heap_fault: a store to a page that is not there yet.
# In: a0 process, a1 address.  Out: none; outside the heap: the machine goes off.
# Clobbers: t0-t3, a1-a3.
heap_fault:
    li   t0, USER_HEAP
    sub  t0, a1, t0
    srli t0, t0, PAGE_SHIFT      # number of the page
    li   t1, HEAP_PAGES
    bgeu t0, t1, 2f
    la   a2, pages
    slli t1, t0, PAGE_SHIFT
    add  a2, a2, t1

    li   t1, PAGE_SIZE           # nobody sees what was there before
    add  t1, t1, a2
    mv   t2, a2
1:  sw   zero, 0*WORD(t2)
    sw   zero, 1*WORD(t2)
    sw   zero, 2*WORD(t2)
    sw   zero, 3*WORD(t2)
    sw   zero, 4*WORD(t2)
    sw   zero, 5*WORD(t2)
    sw   zero, 6*WORD(t2)
    sw   zero, 7*WORD(t2)
    addi t2, t2, BURST
    bltu t2, t1, 1b

    srli t1, a2, PPN_TO_PTE
    ori  t1, t1, HEAP_LEAF
    lw   t2, PROC_HEAP(a0)
    slli t0, t0, 2
    add  t2, t2, t0
    sw   t1, 0(t2)
    sfence.vma a1, zero
    ret
2:  li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

# heap_release: the heap is empty again.
# In: a0 process.  Out: none.  Clobbers: t0, t1.
heap_release:
    lw   t0, PROC_HEAP(a0)
    addi t1, t0, HEAP_PAGES * WORD
1:  sw   zero, 0(t0)
    addi t0, t0, WORD
    bltu t0, t1, 1b
    sfence.vma
    ret

    .section .bss
    .align PAGE_SHIFT
pages:
    .space HEAP_PAGES * PAGE_SIZE
