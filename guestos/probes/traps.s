# traps.s: exceptions in M-mode.
# Purpose: cause, epc and value of each kind; what a trap and mret do to mstatus.
# Source: Privileged Architecture, sections 3.1.6 and 3.1.14 to 3.1.16.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ HOLE, 0x0a000000            # neither RAM nor a device
.equ MISA_C, 1 << 2
.equ ILLEGAL, 0                  # a word that is no instruction

    probe_begin traps

    on_trap 1f
0:  ecall
1:  check_trap CAUSE_ECALL_M
    check_epc 0b
    check_value 0

    on_trap 1f
0:  ebreak
1:  check_trap CAUSE_BREAKPOINT
    check_epc 0b

    on_trap 1f
0:  .word ILLEGAL
1:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 0b
    check_value ILLEGAL

    on_trap 1f
0:  .word 0xffffffff
1:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 0b

    li   s0, HOLE
    li   s1, 99
    on_trap 1f
0:  lw   s1, 0(s0)
1:  check_trap CAUSE_LOAD_ACCESS_FAULT
    check_epc 0b
    check_value HOLE
    check s1, 99                 # a load that traps writes no register

    li   s0, HOLE
    on_trap 1f
0:  sw   s1, 4(s0)
1:  check_trap CAUSE_STORE_ACCESS_FAULT
    check_epc 0b
    check_value HOLE+4

    li   s0, HOLE
    li   s1, 99
    on_trap 1f
    jalr s1, 0(s0)               # the jump is fine, what it finds is not
1:  check_trap CAUSE_INSN_ACCESS_FAULT
    load_word s2, probe_epc
    check s2, HOLE
    check_value HOLE
    check_label s1, 1b           # so rd is written: 1b follows the jump

    csrr t0, misa                # with compressed instructions every even target is fine
    andi t0, t0, MISA_C
    bnez t0, 2f
    la   s0, 1f + 2
    li   s1, 99
    on_trap 1f
0:  jalr s1, 0(s0)
1:  check_trap CAUSE_INSN_MISALIGNED
    check_epc 0b
    check_value_label 1b+2
    check s1, 99                 # the jump itself trapped
    li   s0, 1
    on_trap 1f
0:  .word 0x00041163             # bne s0, zero, . + 2
1:  check_trap CAUSE_INSN_MISALIGNED
    check_epc 0b
    on_trap 1f
    .insn 0x00040163             # beq s0, zero, . + 2: not taken, so it does not trap
1:  check_no_trap
2:

    li   t0, MSTATUS_MPP         # a trap saves mode and MIE
    csrc mstatus, t0
    csrci mstatus, MSTATUS_MIE
    on_trap 1f
    ecall
1:  load_word s0, probe_status
    li   s1, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE
    and  s0, s0, s1
    check s0, MSTATUS_MPP_M
    csrsi mstatus, MSTATUS_MIE
    on_trap 1f
    ecall
1:  load_word s0, probe_status
    and  s0, s0, s1
    check s0, MSTATUS_MPP_M | MSTATUS_MPIE

    la   t0, 1f                  # mret: MIE = MPIE, MPIE = 1, MPP = U
    csrw mepc, t0
    csrci mstatus, MSTATUS_MIE
    li   t0, MSTATUS_MPP | MSTATUS_MPIE
    csrs mstatus, t0
    mret
1:  csrr s0, mstatus
    and  s0, s0, s1
    csrci mstatus, MSTATUS_MIE
    check s0, MSTATUS_MIE | MSTATUS_MPIE

    on_trap 1f                   # from U-mode
    enter MSTATUS_MPP_U, 0f
0:  ecall
1:  check_trap CAUSE_ECALL_U
    check_epc 0b
    load_word s0, probe_status
    li   s1, MSTATUS_MPP
    and  s0, s0, s1
    check s0, MSTATUS_MPP_U

    on_trap 1f                   # from S-mode
    enter MSTATUS_MPP_S, 0f
0:  ecall
1:  check_trap CAUSE_ECALL_S
    load_word s0, probe_status
    and  s0, s0, s1
    check s0, MSTATUS_MPP_S
    tail probe_ok
