# sfence.s: changed page tables.
# Purpose: after sfence.vma, of all, of an address or of an address space, the new entry counts;
# satp switches spaces.
# Source: Privileged Architecture, section 4.2.1.  Mode: M, S.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "probes/sv32.inc"

.equ DATA_1, 0x11111111
.equ DATA_2, 0x22222222
.equ ASID, 5

# load WANT: what S-mode reads at VIRTUAL.
.macro load want
    on_trap 9f
    enter MSTATUS_MPP_S, 8f
8:  lw   s2, 0(s1)
    ecall
9:  check_trap CAUSE_ECALL_S
    check s2, \want
.endm

    probe_begin sfence

    tables
    satp_value s0
    csrw satp, s0
    sfence.vma
    li   s1, VIRTUAL
    la   t0, page
    li   t1, DATA_1
    sw   t1, 0(t0)
    la   t0, page_2
    li   t1, DATA_2
    sw   t1, 0(t0)

    set_entry page, PAGE_RW
    load DATA_1
    set_entry page_2, PAGE_RW    # fenced for everything
    load DATA_2
    pte  t1, page, PAGE_RW
    sw   t1, 0(s11)
    sfence.vma s1                # for this address
    load DATA_1
    pte  t1, page_2, PAGE_RW
    sw   t1, 0(s11)
    sfence.vma zero, zero
    load DATA_2
    pte  t1, page, PAGE_RW
    sw   t1, 0(s11)
    sfence.vma s1, zero
    load DATA_1
    pte  t1, page_2, PAGE_RW
    sw   t1, 0(s11)
    li   t0, 0                   # for this address in this space
    sfence.vma s1, t0
    load DATA_2

    # Permissions taken away and given back.
    pte  t1, page_2, PTE_V|PTE_R|PTE_A
    sw   t1, 0(s11)
    sfence.vma
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  sw   s2, 0(s1)
    ecall
1:  check_trap CAUSE_STORE_PAGE_FAULT
    pte  t1, page_2, PAGE_RW
    sw   t1, 0(s11)
    sfence.vma
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  sw   s2, 0(s1)
    ecall
1:  check_trap CAUSE_ECALL_S

    # Another space: another root, under another ASID, where VIRTUAL is the other page.
    la   t0, root
    la   t1, root_2
    li   t2, PAGE_SIZE
    add  t2, t2, t0
1:  lw   s3, 0(t0)
    sw   s3, 0(t1)
    addi t0, t0, WORD
    addi t1, t1, WORD
    bne  t0, t2, 1b
    la   s3, second_2
    srli s4, s3, PPN_TO_PTE
    ori  s4, s4, PTE_V
    la   t0, root_2 + ((VIRTUAL >> MEGAPAGE_SHIFT) << WORD_SHIFT)
    sw   s4, 0(t0)
    pte  t1, page, PAGE_RW
    sw   t1, 0(s3)
    la   s4, root_2
    srli s4, s4, PAGE_SHIFT
    li   t0, SATP_MODE | (ASID << SATP_ASID_SHIFT)
    or   s4, s4, t0
    csrw satp, s4
    sfence.vma
    load DATA_1
    csrw satp, s0
    sfence.vma
    load DATA_2
    csrw satp, zero              # and no translation at all
    la   s1, page
    load DATA_1
    tail probe_ok

    table_memory
    .section .bss
    .align PAGE_SHIFT
root_2:
    .space PAGE_SIZE
second_2:
    .space PAGE_SIZE
