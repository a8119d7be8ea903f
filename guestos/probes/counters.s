# counters.s: cycle, time and instret.
# Purpose: they move, they can be set and stopped, and the levels below see them when allowed.
# Source: Privileged Architecture, sections 3.1.10 to 3.1.12 and 4.1.5; Unprivileged ISA, chapter 10.
# Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ ALL, MCOUNTEREN_CY | MCOUNTEREN_TM | MCOUNTEREN_IR
.equ HIGH, 7

# moves CSR: it is larger the second time (as a 64-bit number's low word, a while apart).
.macro moves csr
    csrr s0, \csr
    nop
    nop
    csrr s1, \csr
    sub  s1, s1, s0
    sgtz s1, s1
    check s1, 1
.endm

# read_in MPP, CSR, CAUSE: reading it in that mode ends so (an ecall's cause: it succeeded).
.macro read_in mpp, csr, cause
    on_trap 9f
    enter \mpp, 8f
8:  csrr s2, \csr
    ecall
9:  check_trap \cause
.endm

# gate CSR, BIT: S needs the bit in mcounteren, U needs it in both.
.macro gate csr, bit
    csrw mcounteren, zero
    li   t0, ALL
    csrw scounteren, t0
    read_in MSTATUS_MPP_S, \csr, CAUSE_ILLEGAL_INSN
    read_in MSTATUS_MPP_U, \csr, CAUSE_ILLEGAL_INSN
    li   t0, \bit
    csrw mcounteren, t0
    csrw scounteren, zero
    read_in MSTATUS_MPP_S, \csr, CAUSE_ECALL_S
    read_in MSTATUS_MPP_U, \csr, CAUSE_ILLEGAL_INSN
    csrw scounteren, t0
    read_in MSTATUS_MPP_U, \csr, CAUSE_ECALL_U
.endm

    probe_begin counters

    moves mcycle
    moves minstret
    moves cycle
    moves instret

    # time is the CLINT's mtime.
    li   s2, CLINT_BASE + CLINT_MTIME
    csrr s0, timeh
    lw   s1, WORD(s2)
    check_same s1, s0
    lw   s0, 0(s2)
    csrr s1, time
    lw   s3, 0(s2)
    sub  s1, s1, s0              # between two readings of mtime
    sub  s3, s3, s0
    sltu s1, s3, s1
    check s1, 0
    csrr s0, time
1:  csrr s1, time                # it moves
    beq  s0, s1, 1b

    # Both words can be written; reading the lower aliases shows them.
    li   s0, HIGH
    csrw mcycle, zero
    csrw mcycleh, s0
    csrr s1, cycleh
    check_same s1, s0
    csrw minstret, zero
    csrw minstreth, s0
    csrr s1, instreth
    check_same s1, s0
    csrw mcycleh, zero
    csrw minstreth, zero
    csrr s1, instreth
    check s1, 0

    # Stopped counters stand still, and can be set.
    li   t0, MCOUNTINHIBIT_CY | MCOUNTINHIBIT_IR
    csrw mcountinhibit, t0
    csrr s0, minstret
    csrr s2, mcycle
    nop
    nop
    csrr s1, minstret
    csrr s3, mcycle
    check_same s1, s0
    check_same s3, s2
    csrw mcountinhibit, zero
    moves minstret

    gate cycle, MCOUNTEREN_CY
    gate time, MCOUNTEREN_TM
    gate instret, MCOUNTEREN_IR
    gate cycleh, MCOUNTEREN_CY
    gate timeh, MCOUNTEREN_TM
    tail probe_ok
