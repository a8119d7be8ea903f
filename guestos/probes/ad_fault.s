# ad_fault.s: A and D bits that software has to set.
# Purpose: accesses that need A or D set in the page table fault, and change nothing.
# Source: Privileged Architecture, 4.3.2, step 7, the first of its two schemes.  Mode: M and S.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ SV32, 1 << 31
.equ MEGA_SHIFT, 22
.equ PAGE_VA, 0x40000000         # where the page under test is seen
.equ RAM_PTE, ((RAM_BASE >> PAGE_SHIFT) << PTE_PPN_SHIFT) | PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D

# attempt LABEL, BITS: in S-mode, do what is at LABEL with these bits in the entry.
.macro attempt label, bits
    la   t0, page
    srli t0, t0, PAGE_SHIFT
    slli t0, t0, PTE_PPN_SHIFT
    li   t1, \bits
    or   t0, t0, t1
    la   t1, leaf
    sw   t0, 0(t1)
    mv   s5, t0
    sfence.vma
    on_trap 8f
    enter MSTATUS_MPP_S, \label
8:
.endm

# unchanged: the entry is as it was.
.macro unchanged
    la   t0, leaf
    lw   s6, 0(t0)
    check_same s6, s5
.endm

    probe_begin ad_fault

    la   t0, root                # RAM as it is, and one page at PAGE_VA
    li   t1, RAM_PTE
    li   t2, (RAM_BASE >> MEGA_SHIFT) * WORD
    add  t2, t2, t0
    sw   t1, 0(t2)
    la   t1, leaf
    srli t1, t1, PAGE_SHIFT
    slli t1, t1, PTE_PPN_SHIFT
    ori  t1, t1, PTE_V
    li   t2, (PAGE_VA >> MEGA_SHIFT) * WORD
    add  t2, t2, t0
    sw   t1, 0(t2)
    srli t0, t0, PAGE_SHIFT
    li   t1, SV32
    or   t0, t0, t1
    csrw satp, t0
    li   s7, PAGE_VA

    attempt do_load, PTE_V | PTE_R | PTE_W | PTE_X
    check_trap CAUSE_LOAD_PAGE_FAULT
    check_value PAGE_VA
    unchanged
    attempt do_store, PTE_V | PTE_R | PTE_W | PTE_X
    check_trap CAUSE_STORE_PAGE_FAULT
    unchanged
    attempt do_store, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A
    check_trap CAUSE_STORE_PAGE_FAULT
    check_value PAGE_VA + WORD
    unchanged
    attempt do_add, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A
    check_trap CAUSE_STORE_PAGE_FAULT
    unchanged
    attempt do_jump, PTE_V | PTE_R | PTE_W | PTE_X
    check_trap CAUSE_INSN_PAGE_FAULT
    check_value PAGE_VA
    unchanged
    attempt do_load, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A
    check_trap CAUSE_ECALL_S
    unchanged
    attempt do_load, PTE_V | PTE_R | PTE_W | PTE_X | PTE_D
    check_trap CAUSE_LOAD_PAGE_FAULT
    unchanged
    attempt do_jump, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A
    check_trap CAUSE_ECALL_S
    unchanged
    attempt do_store, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D
    check_trap CAUSE_ECALL_S
    unchanged
    tail probe_ok

    .align 2
do_load:
    lw   t2, 0(s7)
    ecall
do_store:
    sw   s7, WORD(s7)
    ecall
do_add:
    amoadd.w t2, s7, (s7)
    ecall
do_jump:
    jr   s7

    .section .data
    .align PAGE_SHIFT
page:
    ecall
    .space PAGE_SIZE - WORD

    .section .bss
    .align PAGE_SHIFT
root:
    .space PAGE_SIZE
leaf:
    .space PAGE_SIZE
