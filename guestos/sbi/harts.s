# harts.s: the harts: how many there are, preparing one, starting it in the kernel, waiting.
# Purpose: everything about a hart that is not an answer to a call.
# Mode: M.
# Entry points: harts_count, hart_record, hart_own, hart_prepare, hart_enter, hart_wait; hart_total.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "clint.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

# Exceptions that go straight to the kernel.  The others reach trap.s, which hands those that
# are not calls on to the kernel, as OpenSBI does.
.equ DELEGATED_EXCEPTIONS, (1 << CAUSE_INSN_MISALIGNED) | (1 << CAUSE_BREAKPOINT) | (1 << CAUSE_ECALL_U) | (1 << CAUSE_INSN_PAGE_FAULT) | (1 << CAUSE_LOAD_PAGE_FAULT) | (1 << CAUSE_STORE_PAGE_FAULT)
.equ DELEGATED_INTERRUPTS, MIP_SSIP | MIP_STIP | MIP_SEIP
.equ COUNTERS, MCOUNTEREN_CY | MCOUNTEREN_TM | MCOUNTEREN_IR

# PMP entry 0 closes the firmware's memory to S and U, entry 1 opens everything else.
.equ PMP_FIRMWARE, (RAM_BASE >> 2) | ((FIRMWARE_BYTES >> 3) - 1)
.equ PMP_EVERYTHING, -1
.equ PMP_CONFIG, PMP_NAPOT | ((PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 8)

.equ DEADLINE_SHIFT, 3           # bytes of a mtimecmp, as a shift
.equ KERNEL_STATUS, MSTATUS_MPP | MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_MPRV

    .section .text
    .globl harts_count
    .globl hart_record
    .globl hart_own
    .globl hart_prepare
    .globl hart_enter
    .globl hart_wait
    .globl hart_total

# harts_count: find out how many harts there are: a hart's mtimecmp keeps what is written.
# In: none.  Out: hart_total.  Clobbers: t0-t3.
harts_count:
    li   t0, CLINT_BASE + CLINT_MTIMECMP
    li   t1, 0
    li   t2, CLINT_NEVER
1:  sw   t2, WORD(t0)
    lw   t3, WORD(t0)
    bne  t3, t2, 2f
    addi t1, t1, 1
    addi t0, t0, 1 << DEADLINE_SHIFT
    li   t3, MAX_HARTS
    bltu t1, t3, 1b
2:  store_word t1, hart_total, t0
    ret

# hart_own: the record of this hart; hart_record: that of a hart that exists.
# In: hart_record: a0 hart.  Out: a0 address.  Clobbers: t0.
hart_own:
    csrr a0, mhartid
hart_record:
    slli a0, a0, HART_SHIFT
    la   t0, harts
    add  a0, a0, t0
    ret

# hart_prepare: what stays as it is while the kernel runs: memory protection, delegation, timer.
# In: sp the top of its stack.  Out: none.  Clobbers: t0.
hart_prepare:
    la   t0, 1f                  # a hart without PMP traps here: nothing to open
    csrw mtvec, t0
    li   t0, PMP_FIRMWARE
    csrw pmpaddr0, t0
    li   t0, PMP_EVERYTHING
    csrw pmpaddr1, t0
    li   t0, PMP_CONFIG
    csrw pmpcfg0, t0
    .align 2
1:  la   t0, 2f                  # and one without menvcfgh here
    csrw mtvec, t0
    li   t0, MENVCFGH_STCE       # the kernel's own timer, where there is one
    csrw menvcfgh, t0
    .align 2
2:  la   t0, trap_entry
    csrw mtvec, t0
    csrw mscratch, sp
    li   t0, DELEGATED_EXCEPTIONS
    csrw medeleg, t0
    li   t0, DELEGATED_INTERRUPTS
    csrw mideleg, t0
    li   t0, COUNTERS
    csrw mcounteren, t0
    ret

# hart_enter: begin in the kernel as SBI says: S-mode, no translation, interrupts off.
# In: a0 pc, a1 opaque, sp the top of its stack.  Out: does not return.
hart_enter:
    csrw mscratch, sp
    csrw satp, zero
    sfence.vma
    fence.i
    csrw stvec, a0
    li   t0, KERNEL_STATUS
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_S
    csrs mstatus, t0
    li   t0, MIP_MSIP            # requests of other harts
    csrs mie, t0
    csrw mepc, a0
    csrr a0, mhartid
    mret

# hart_wait: sleep until another hart wants this one to start.
# In: sp the top of its stack.  Out: does not return.
hart_wait:
    li   t0, MIP_MSIP
    csrw mie, t0
    csrw mip, zero
1:  wfi
    csrr t0, mip
    andi t0, t0, MIP_MSIP
    beqz t0, 1b
    call remote_silence
    call hart_own
    lw   t0, HART_STATE(a0)
    li   t1, SBI_HSM_START_PENDING
    bne  t0, t1, 1b
    fence
    sw   zero, HART_REQUESTS(a0) # nothing that was asked before it started matters
    li   t1, SBI_HSM_STARTED
    sw   t1, HART_STATE(a0)
    lw   a1, HART_OPAQUE(a0)
    lw   a0, HART_PC(a0)
    tail hart_enter

    .section .data
    .align 2
harts:                           # a record for each hart
    .rept MAX_HARTS
    .word SBI_HSM_STOPPED, 0, 0, 0
    .endr

    .section .bss
    .align 2
hart_total:
    .space WORD
