# csr.s: control and status registers.
# Purpose: the six instructions, which accesses are illegal, which bits a write changes.
# Source: Unprivileged ISA, chapter 9 (Zicsr); Privileged Architecture, sections 2.1 and 2.3 (WARL),
# 3.1 and 4.1.  Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ A, 0x0f0f1234
.equ B, 0x00ff00f0

# illegal_read CSR, illegal_write CSR: not even M-mode may.
.macro illegal_read csr
    on_trap 9f
    csrr s2, \csr
9:  check_trap CAUSE_ILLEGAL_INSN
.endm

.macro illegal_write csr
    on_trap 9f
    csrw \csr, zero
9:  check_trap CAUSE_ILLEGAL_INSN
.endm

# illegal_in MPP, CSR: reading it is illegal in that mode; the register stays.
.macro illegal_in mpp, csr
    li   s2, 77
    on_trap 9f
    enter \mpp, 8f
8:  csrr s2, \csr
9:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 8b
    check s2, 77
.endm

    probe_begin csr

    # The six instructions: rd gets the old value.
    csrr s11, mscratch           # the probe's trap handler needs it: no trap until it is back
    li   s0, A
    li   s1, B
    csrw mscratch, s0
    csrrw s2, mscratch, s1
    csrrs s3, mscratch, s0
    csrrc s4, mscratch, s0
    csrrwi s5, mscratch, 21
    csrrsi s6, mscratch, 10
    csrrci s7, mscratch, 1
    csrrw s8, mscratch, s11
    check s2, A
    check s3, B
    check s4, A|B
    check s5, B&~A
    check s6, 21
    check s7, 31
    check s8, 30
    csrr s2, mscratch
    mv   s3, s2
    csrrw s3, mscratch, s3       # rd may be rs1
    check_same s3, s11

    # Numbers that do not exist, and read-only ones that are written.
    illegal_read 0x5c0
    illegal_read 0x7ff
    illegal_write 0xfff
    illegal_write mhartid
    illegal_write cycle
    on_trap 1f
    csrrs s2, mhartid, s0        # a source that is not x0 writes
1:  check_trap CAUSE_ILLEGAL_INSN
    on_trap 1f
    csrrsi s2, mhartid, 1
1:  check_trap CAUSE_ILLEGAL_INSN
    on_trap 1f
    csrrs s2, mhartid, zero      # x0 does not write, nor does the immediate 0
    csrrci s2, mhartid, 0
1:  check_no_trap
    check s2, 0

    # Privilege is in bits 9:8 of the number.
    illegal_in MSTATUS_MPP_U, sstatus
    illegal_in MSTATUS_MPP_U, satp
    illegal_in MSTATUS_MPP_U, mstatus
    illegal_in MSTATUS_MPP_S, mstatus
    illegal_in MSTATUS_MPP_S, mhartid
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  csrr s2, sscratch
    ecall
1:  check_trap CAUSE_ECALL_S

    # sstatus is a window on mstatus.
    li   s0, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPP | MSTATUS_SPIE
    csrc mstatus, s0
    csrs sstatus, s0
    csrr s1, mstatus
    and  s1, s1, s0
    check_same s1, s0
    csrr s1, sstatus
    and  s1, s1, s0
    check_same s1, s0
    csrc sstatus, s0
    li   s0, MSTATUS_MPRV | MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE | MSTATUS_TSR | MSTATUS_TVM
    csrc mstatus, s0
    csrs sstatus, s0             # M's fields cannot be changed through it
    csrr s1, mstatus
    and  s1, s1, s0
    check s1, 0
    csrr s1, sstatus
    and  s1, s1, s0
    check s1, 0

    # sie shows and changes the delegated bits of mie only.
    li   s0, MIP_SSIP | MIP_STIP | MIP_SEIP
    li   s1, MIP_SSIP | MIP_SEIP
    csrw mideleg, s1
    csrw mie, zero
    csrw sie, s0
    csrr s2, mie
    check_same s2, s1
    li   s0, MIP_STIP | MIP_MTIP
    csrw mie, s0
    csrr s2, sie
    check s2, 0
    csrw mie, zero

    # Bits that writes cannot change.
    li   s0, -1
    csrw mideleg, s0
    csrr s1, mideleg
    andi s1, s1, MIP_MSIP | MIP_MTIP # nor can M's interrupts
    check s1, 0
    csrw mideleg, zero
    csrw satp, zero
    csrw stvec, zero
    csrr s1, stvec
    check s1, 0
    csrw scause, s0
    csrr s1, scause
    check_same s1, s0
    csrw stval, s0
    csrr s1, stval
    check_same s1, s0
    li   s0, 7
    csrw mcounteren, s0
    csrr s1, mcounteren
    andi s1, s1, 7
    check s1, 7
    csrr s1, mhartid
    check s1, 0
    csrr s1, misa                # I, M, A, S, U on 32 bits at least
    li   s0, (1 << 30) | (1 << 8) | (1 << 12) | (1 << 0) | (1 << 18) | (1 << 20)
    and  s1, s1, s0
    check_same s1, s0
    tail probe_ok
