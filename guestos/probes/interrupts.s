# interrupts.s: software and timer interrupts in M-mode.
# Purpose: when they are taken, which goes first, and where the interrupted program goes on.
# Source: Privileged Architecture, sections 3.1.6.1 and 3.1.9.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ SPIN, 100                   # instructions that are certainly enough

    probe_begin interrupts

    li   s10, CLINT_BASE + CLINT_MSIP
    li   s11, CLINT_BASE + CLINT_MTIMECMP
    li   t0, CLINT_NEVER
    sw   t0, WORD(s11)

    # Pending but not enabled: nothing happens.
    li   t0, 1
    sw   t0, 0(s10)
    call settle
    csrr s0, mip
    andi s0, s0, MIP_MSIP
    check s0, MIP_MSIP
    csrsi mstatus, MSTATUS_MIE
    nop
    csrci mstatus, MSTATUS_MIE
    li   t0, MIP_MSIP            # enabled in mie, but not in mstatus
    csrw mie, t0
    nop

    # Taken at the instruction after the one that enables it.
    on_trap 1f
    csrsi mstatus, MSTATUS_MIE
0:  nop
    csrci mstatus, MSTATUS_MIE
1:  check_trap CAUSE_INTERRUPT | IRQ_MSI
    check_epc 0b
    check_value 0
    load_word s0, probe_status
    li   t0, MSTATUS_MIE | MSTATUS_MPIE
    and  s0, s0, t0
    check s0, MSTATUS_MPIE

    # mip.MSIP and mip.MTIP are the devices', writes do nothing.
    csrw mip, zero
    csrr s0, mip
    andi s0, s0, MIP_MSIP
    check s0, MIP_MSIP

    # With both pending, software goes before the timer.
    sw   zero, WORD(s11)
    sw   zero, 0(s11)
    call settle
    li   t0, MIP_MSIP | MIP_MTIP
    csrw mie, t0
    on_trap 1f
    csrsi mstatus, MSTATUS_MIE
    nop
    csrci mstatus, MSTATUS_MIE
1:  check_trap CAUSE_INTERRUPT | IRQ_MSI

    sw   zero, 0(s10)            # answer the first: then the other comes
    call settle
    on_trap 1f
    csrsi mstatus, MSTATUS_MIE
    nop
    csrci mstatus, MSTATUS_MIE
1:  check_trap CAUSE_INTERRUPT | IRQ_MTI

    li   t0, CLINT_NEVER         # and a later deadline takes it back
    sw   t0, WORD(s11)
    call settle
    csrr s0, mip
    andi s0, s0, MIP_MSIP | MIP_MTIP
    check s0, 0
    csrsi mstatus, MSTATUS_MIE
    nop
    csrci mstatus, MSTATUS_MIE

    # In U-mode an enabled M interrupt comes whatever MIE is.
    li   t0, 1
    sw   t0, 0(s10)
    call settle
    csrci mstatus, MSTATUS_MIE
    on_trap 1f
    enter MSTATUS_MPP_U, 0f
0:  j    0b
1:  check_trap CAUSE_INTERRUPT | IRQ_MSI
    check_epc 0b
    sw   zero, 0(s10)
    csrw mie, zero
    tail probe_ok

# settle: give the interrupt controller time to notice.
# In: none.  Out: none.  Clobbers: t0.
settle:
    li   t0, SPIN
1:  addi t0, t0, -1
    bnez t0, 1b
    ret
