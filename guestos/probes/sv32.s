# sv32.s: the page-table walk.
# Purpose: translation by pages and megapages, A and D, every kind of entry that must fault.
# Source: Privileged Architecture, section 4.3.2.  Mode: M, S.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "probes/sv32.inc"

.equ DATA, 0x12345678
.equ OFFSET, 0x120               # within a page
.equ LEAF_TO_FAULT, PTE_V | PTE_A | PTE_D

# Harts with the Svadu extension want to be asked to set A and D; others ignore the bit.
.equ MENVCFGH_ADUE, 1 << 29

# fault_at LABEL, FLAGS, CAUSE, INSN: with VIRTUAL mapped so, INSN at s1 must fault.
.macro fault_at label, flags, cause, insn
    set_entry \label, \flags
    on_trap 9f
    enter MSTATUS_MPP_S, 8f
8:  \insn s2, 0(s1)
    ecall
9:  check_trap \cause
    check_value VIRTUAL+OFFSET
.endm

    probe_begin sv32

    li   t0, MENVCFGH_ADUE
    csrs menvcfgh, t0
    tables
    satp_value s0
    csrw satp, s0
    sfence.vma
    csrr t0, satp
    check_same t0, s0
    li   s1, VIRTUAL+OFFSET

    # A page, read and written; the hart sets A and D.
    la   t0, page
    li   t1, DATA
    sw   t1, OFFSET(t0)
    set_entry page, PTE_V|PTE_R|PTE_W
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  lw   s2, 0(s1)
    ecall
1:  check_trap CAUSE_ECALL_S
    check s2, DATA
    lw   s2, 0(s11)
    andi s2, s2, PTE_A | PTE_D
    check s2, PTE_A              # a load sets A only
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  addi s2, s1, 1
    sw   s2, 0(s1)
    ecall
1:  check_trap CAUSE_ECALL_S
    la   t0, page
    lw   s2, OFFSET(t0)
    check s2, VIRTUAL+OFFSET+1
    lw   s2, 0(s11)
    andi s2, s2, PTE_A | PTE_D
    check s2, PTE_A|PTE_D

    # A page to execute.
    la   t0, page
    li   t1, 0x00000073          # ecall
    sw   t1, OFFSET(t0)
    fence.i
    set_entry page, PTE_V|PTE_X
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  jr   s1
1:  check_trap CAUSE_ECALL_S
    load_word s2, probe_epc
    check s2, VIRTUAL+OFFSET
    lw   s2, 0(s11)
    andi s2, s2, PTE_A | PTE_D
    check s2, PTE_A

    # Entries that fault: not valid, no permission, reserved, a pointer on the last level.
    fault_at page, PTE_R|PTE_W|PTE_A|PTE_D, CAUSE_LOAD_PAGE_FAULT, lw
    fault_at page, PTE_R|PTE_W|PTE_A|PTE_D, CAUSE_STORE_PAGE_FAULT, sw
    fault_at page, LEAF_TO_FAULT|PTE_X, CAUSE_LOAD_PAGE_FAULT, lw
    fault_at page, LEAF_TO_FAULT|PTE_R, CAUSE_STORE_PAGE_FAULT, sw
    fault_at page, LEAF_TO_FAULT|PTE_W, CAUSE_LOAD_PAGE_FAULT, lw
    fault_at page, LEAF_TO_FAULT|PTE_W|PTE_X, CAUSE_STORE_PAGE_FAULT, sw
    fault_at page, PTE_V, CAUSE_LOAD_PAGE_FAULT, lw

    # A fault sets neither A nor D.
    fault_at page, PTE_V|PTE_R, CAUSE_STORE_PAGE_FAULT, sw
    lw   s2, 0(s11)
    andi s2, s2, PTE_A | PTE_D
    check s2, 0

    # Fetching where X is not set; the AMO of a read-only page is a store.
    set_entry page, PAGE_RW
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  jr   s1
1:  check_trap CAUSE_INSN_PAGE_FAULT
    check_value VIRTUAL+OFFSET
    set_entry page, PTE_V|PTE_R|PTE_A
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  amoadd.w s2, s2, (s1)
1:  check_trap CAUSE_STORE_PAGE_FAULT

    # No entry in the root at all.
    li   s2, VIRTUAL+MEGAPAGE_SIZE
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  lw   s2, 0(s2)
1:  check_trap CAUSE_LOAD_PAGE_FAULT
    check_value VIRTUAL+MEGAPAGE_SIZE

    # A megapage, and one whose page number is not aligned.
    la   t0, page
    li   t1, DATA
    sw   t1, 0(t0)
    la   s2, root + ((VIRTUAL >> MEGAPAGE_SHIFT) << WORD_SHIFT)
    li   t1, (RAM_BASE >> PPN_TO_PTE) | PAGE_RW
    sw   t1, 0(s2)
    sfence.vma
    li   t1, VIRTUAL-RAM_BASE
    add  s1, t0, t1              # where the page is now
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  lw   s3, 0(s1)
    ecall
1:  check_trap CAUSE_ECALL_S
    check s3, DATA
    li   t1, ((RAM_BASE + PAGE_SIZE) >> PPN_TO_PTE) | PAGE_RW
    sw   t1, 0(s2)
    sfence.vma
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  lw   s3, 0(s1)
    ecall
1:  check_trap CAUSE_LOAD_PAGE_FAULT

    # M-mode is not translated.
    la   t0, page
    lw   s3, 0(t0)
    check s3, DATA
    csrw satp, zero
    tail probe_ok

    table_memory
