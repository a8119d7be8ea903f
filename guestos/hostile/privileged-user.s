# privileged-user.s: every privileged instruction from U-mode.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    as_user
    mret
    wants CAUSE_ILLEGAL_INSN
    sret
    wants CAUSE_ILLEGAL_INSN
    wfi
    wants CAUSE_ILLEGAL_INSN
    sfence.vma
    wants CAUSE_ILLEGAL_INSN
    csrr t2, mstatus
    wants CAUSE_ILLEGAL_INSN
    csrw satp, zero
    wants CAUSE_ILLEGAL_INSN
    rdcycle t2
    wants CAUSE_ILLEGAL_INSN
    rdtime t2
    wants CAUSE_ILLEGAL_INSN
    ecall
    wants CAUSE_ECALL_U
    finish
