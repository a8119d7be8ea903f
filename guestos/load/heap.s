# heap.s: memory on demand.
# Purpose: give a zeroed page to the address that faulted; take all of them back.
# Mode: S.
# Entry points: heap_fault, heap_release.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "sbi.inc"
    .include "frame.inc"
    .include "pv.inc"
    .include "load/load.inc"

.equ PPN_TO_PTE, PAGE_SHIFT - PTE_PPN_SHIFT
.equ HEAP_LEAF, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D
.equ BURST, 8*WORD
.equ AHEAD, 64                   # pages of one fault where entries go in bulk

    .section .text
    .globl heap_fault
    .globl heap_release

# heap_fault: a store to a page that is not there yet.
# Under a hypervisor that takes many entries at once the pages behind it come as well.
# In: a0 process, a1 address.  Out: none; outside the heap: the machine goes off.
# Clobbers: t0-t2, a0, a1, a6, a7.
heap_fault:
    prologue 4
    mv   s1, a1
    li   t0, USER_HEAP
    sub  t0, a1, t0
    srli t0, t0, PAGE_SHIFT      # number of the page
    li   t1, HEAP_PAGES
    bgeu t0, t1, 5f
    la   s3, pages
    slli t2, t0, PAGE_SHIFT
    add  s3, s3, t2
    lw   s0, PROC_HEAP(a0)
    slli t2, t0, 2
    add  s0, s0, t2              # its entry
    li   s2, 1                   # pages to map
    load_word t2, pv_features
    andi t2, t2, PV_CAN_UPDATE
    beqz t2, 1f
    sub  s2, t1, t0
    li   t1, AHEAD
    bleu s2, t1, 1f
    mv   s2, t1

1:  li   t1, PAGE_SIZE           # nobody sees what was there before
    add  t1, t1, s3
    mv   t2, s3
2:  sw   zero, 0*WORD(t2)
    sw   zero, 1*WORD(t2)
    sw   zero, 2*WORD(t2)
    sw   zero, 3*WORD(t2)
    sw   zero, 4*WORD(t2)
    sw   zero, 5*WORD(t2)
    sw   zero, 6*WORD(t2)
    sw   zero, 7*WORD(t2)
    addi t2, t2, BURST
    bltu t2, t1, 2b
    srli a1, s3, PPN_TO_PTE
    ori  a1, a1, HEAP_LEAF
    mv   s3, t1
    mv   a0, s0
    addi s0, s0, WORD
    call pv_store
    addi s2, s2, -1
    bnez s2, 1b

    load_word t0, pv_features
    andi t0, t0, PV_CAN_UPDATE
    bnez t0, 3f
    sfence.vma s1, zero
    j    4f
3:  call pv_flush
4:  epilogue 4
5:  li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

# heap_release: the heap is empty again.
# In: a0 process.  Out: none.  Clobbers: t0-t2, a0, a1, a6, a7.
heap_release:
    prologue 2
    lw   s0, PROC_HEAP(a0)
    addi s1, s0, HEAP_PAGES * WORD
    load_word t0, pv_features
    andi t0, t0, PV_CAN_UPDATE
    bnez t0, 2f
1:  sw   zero, 0(s0)
    addi s0, s0, WORD
    bltu s0, s1, 1b
    sfence.vma
    j    3f
2:  mv   a0, s0
    li   a1, 0
    call pv_store
    addi s0, s0, WORD
    bltu s0, s1, 2b
    call pv_flush
3:  epilogue 2

    .section .bss
    .align PAGE_SHIFT
pages:
    .space HEAP_PAGES * PAGE_SIZE
