# pmp.s: physical memory protection.
# Purpose: regions closed, opened and locked, by power of two and by top of range.
# Source: Privileged Architecture, section 3.7.  Mode: M, S, U.  Regions are whole pages, which
# every grain allows.  lib/probe.s has opened everything by the last entry.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ DATA, 0x600dda7a
.equ ECALL, 0x00000073
.equ NAPOT_4K, (PAGE_SIZE >> 3) - 1
.equ ADDR_SHIFT, 2
.equ ENTRY_1, 8                  # bits to entry 1 of pmpcfg0

# try MPP, INSN, CAUSE: one access at s1 in a mode ends so (an ecall's cause: it succeeded).
.macro try mpp, insn, cause
    on_trap 9f
    enter \mpp, 8f
8:  \insn s2, 0(s1)
    ecall
9:  check_trap \cause
.endm

    probe_begin pmp

    la   s1, region
    li   t0, DATA
    sw   t0, 0(s1)
    srli s3, s1, ADDR_SHIFT
    ori  s4, s3, NAPOT_4K
    csrw pmpaddr0, s4

    # Closed to S and U, open to M.
    li   t0, PMP_NAPOT
    csrw pmpcfg0, t0
    try  MSTATUS_MPP_U, lw, CAUSE_LOAD_ACCESS_FAULT
    check_value_label region
    try  MSTATUS_MPP_S, lw, CAUSE_LOAD_ACCESS_FAULT
    try  MSTATUS_MPP_S, sw, CAUSE_STORE_ACCESS_FAULT
    lw   s2, 0(s1)
    check s2, DATA
    addi s1, s1, -WORD           # the pages before and behind are not in it
    try  MSTATUS_MPP_U, lw, CAUSE_ECALL_U
    li   t0, PAGE_SIZE + WORD
    add  s1, s1, t0
    try  MSTATUS_MPP_U, lw, CAUSE_ECALL_U
    la   s1, region

    # Read only.
    li   t0, PMP_NAPOT | PMP_R
    csrw pmpcfg0, t0
    try  MSTATUS_MPP_U, lw, CAUSE_ECALL_U
    check s2, DATA
    try  MSTATUS_MPP_U, sw, CAUSE_STORE_ACCESS_FAULT

    # Fetching needs X.
    la   t1, code
    srli t1, t1, ADDR_SHIFT
    ori  t1, t1, NAPOT_4K
    csrw pmpaddr1, t1
    li   t0, (PMP_NAPOT | PMP_R | PMP_W) << ENTRY_1
    csrw pmpcfg0, t0
    on_trap 1f
    enter MSTATUS_MPP_U, code
1:  check_trap CAUSE_INSN_ACCESS_FAULT
    check_epc code
    li   t0, (PMP_NAPOT | PMP_X) << ENTRY_1
    csrw pmpcfg0, t0
    on_trap 1f
    enter MSTATUS_MPP_U, code
1:  check_trap CAUSE_ECALL_U

    # Top of range: from entry 0's address to entry 1's, two pages; the end is not in it.
    csrw pmpcfg0, zero
    csrw pmpaddr0, s3
    li   t1, (2 * PAGE_SIZE) >> ADDR_SHIFT
    add  t1, t1, s3
    csrw pmpaddr1, t1
    li   t0, PMP_TOR << ENTRY_1
    csrw pmpcfg0, t0
    try  MSTATUS_MPP_U, lw, CAUSE_LOAD_ACCESS_FAULT
    li   s5, PAGE_SIZE
    add  s1, s1, s5
    try  MSTATUS_MPP_U, lw, CAUSE_LOAD_ACCESS_FAULT
    add  s1, s1, s5
    try  MSTATUS_MPP_U, lw, CAUSE_ECALL_U
    la   s1, region
    addi s1, s1, -WORD
    try  MSTATUS_MPP_U, lw, CAUSE_ECALL_U

    # The lowest entry that matches decides.
    la   s1, region
    csrw pmpcfg0, zero
    csrw pmpaddr0, s4
    li   t1, -1
    csrw pmpaddr1, t1
    li   t0, (PMP_NAPOT | PMP_R) | (PMP_NAPOT << ENTRY_1)
    csrw pmpcfg0, t0
    li   s0, MSTATUS_MPRV        # as U, but fetching as M: entry 1 closes all other memory
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    csrs mstatus, s0
    lw   s2, 0(s1)
    csrc mstatus, s0
    check s2, DATA

    # Locked: M is bound, too, and writes do nothing.
    li   t0, PMP_NAPOT | PMP_R | PMP_L
    csrw pmpcfg0, t0
    lw   s2, 0(s1)
    check s2, DATA
    on_trap 1f
0:  sw   s2, 0(s1)
1:  check_trap CAUSE_STORE_ACCESS_FAULT
    check_epc 0b
    csrw pmpcfg0, zero
    csrr s2, pmpcfg0
    check s2, PMP_NAPOT|PMP_R|PMP_L
    csrw pmpaddr0, zero
    csrr s2, pmpaddr0
    or   s2, s2, s3              # bits below the grain may read as anything of that sort
    ori  s2, s2, NAPOT_4K
    check_same s2, s4
    tail probe_ok

    .section .bss
    .align 12
    .space PAGE_SIZE
region:
    .space 3*PAGE_SIZE

    .section .text
    .align 12
code:
    ecall
    .align 12
