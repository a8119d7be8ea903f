# wfi.s: waiting for an interrupt.
# Purpose: it ends when an enabled interrupt is pending, taken or not, and goes on behind itself.
# Source: Privileged Architecture, section 3.3.3.  Mode: M, S, U.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ DELAY, 500                  # ticks of mtime

# set_deadline: hart 0's deadline DELAY from now; s10 = mtimecmp, s9 = mtime.  Clobbers t0-t2.
.macro set_deadline
    lw   t0, 0(s9)
    lw   t1, WORD(s9)
    addi t2, t0, DELAY
    sltu t0, t2, t0
    add  t1, t1, t0
    sw   t1, WORD(s10)
    sw   t2, 0(s10)
    mv   s8, t2                  # low word
.endm

    probe_begin wfi

    li   s9, CLINT_BASE + CLINT_MTIME
    li   s10, CLINT_BASE + CLINT_MTIMECMP
    li   t0, CLINT_NEVER
    sw   t0, WORD(s10)

    # Interrupts off: it ends at the deadline, without a trap.
    li   t0, MIP_MTIP
    csrw mie, t0
    set_deadline
1:  wfi
    csrr s0, mip
    andi s0, s0, MIP_MTIP
    beqz s0, 1b                  # it may end earlier for any reason
    lw   s0, 0(s9)
    sub  s0, s0, s8
    srli s0, s0, 31              # negative: before the deadline
    check s0, 0
    wfi                          # still pending: it does not wait at all
    wfi

    # Interrupts on: the trap's epc is behind it.
    li   t0, CLINT_NEVER
    sw   t0, WORD(s10)
    set_deadline
    on_trap 3f
    csrsi mstatus, MSTATUS_MIE
1:  wfi
    j    1b
3:  check_trap CAUSE_INTERRUPT | IRQ_MTI
    load_word s0, probe_epc
    la   s1, 1b
    sub  s0, s0, s1              # behind wfi, or back at it if it ended early
    sltiu s0, s0, 2*INSN_BYTES
    check s0, 1

    # In S-mode: allowed while TW is 0; pending already, so it ends at once.
    csrci mstatus, MSTATUS_MIE
    csrw mie, zero
    li   t0, MIP_SSIP
    csrw mideleg, t0
    csrw mie, t0
    csrw mip, t0
    csrci mstatus, MSTATUS_SIE
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  wfi
2:  ecall
1:  check_trap CAUSE_ECALL_S
    check_epc 2b
    li   s0, MSTATUS_TW          # nothing pending: TW = 1 makes it illegal, at once or soon
    csrw mip, zero
    csrs mstatus, s0
    on_trap 1f
    enter MSTATUS_MPP_S, 0f
0:  wfi
1:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 0b
    csrc mstatus, s0
    on_trap 1f                   # in U-mode it is illegal without TW, too
    enter MSTATUS_MPP_U, 0f
0:  wfi
1:  check_trap CAUSE_ILLEGAL_INSN
    check_epc 0b
    tail probe_ok
