# hsm.s: the harts of a kernel on SBI.
# Purpose: harts start, stop and suspend by HSM, interrupt each other by IPI, and see each other's
# page tables after RFENCE.
# Source: SBI specification 1.0, chapters 7 to 9.  Mode: S, at SBI_KERNEL_BASE.
# Entry points: _start.

    .include "abi.inc"
    .include "csr.inc"
    .include "sbi.inc"
    .include "platform.inc"

.equ HARTS, 4
.equ OPAQUE, 0x1230              # plus the hart's number: what its a1 must be
.equ STACK_SHIFT, 10
.equ SV32, 1 << 31
.equ MEGA_SHIFT, 22
.equ MEGA_BYTES, 1 << MEGA_SHIFT
.equ SEEN, 0x40000000            # where hart 1 sees one megapage, then another
.equ LEAF, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D
.equ MEGA_PTE, 1 << (MEGA_SHIFT - PAGE_SHIFT + PTE_PPN_SHIFT)

# expect REG, WANT: a check; the number of the one that fails is printed.
.macro expect reg, want
    addi s3, s3, 1
    mv   s4, \reg
    li   s5, \want
    bne  s4, s5, failed
.endm

# sbi EXTENSION, FUNCTION: a call with a0 to a4 as they are.
.macro sbi extension, function
    li   a7, \extension
    li   a6, \function
    ecall
.endm

# await LABEL, WANT: until another hart has written that.
.macro await label, want
    la   t0, \label
    li   t1, \want
9:  lw   t2, 0(t0)
    bne  t2, t1, 9b
    fence
.endm

# tell LABEL, VALUE: write it for another hart.
.macro tell label, value
    la   t0, \label
    li   t1, \value
    fence
    sw   t1, 0(t0)
.endm

# await_state HART, STATE: until HSM says that.
.macro await_state hart, state
8:  li   a0, \hart
    sbi  SBI_EXT_HSM, SBI_HSM_STATUS
    expect a0, SBI_SUCCESS
    li   t1, \state
    bne  a1, t1, 8b
.endm

    .section .text
    .globl _start

_start:
    la   sp, stack_top
    csrw sie, zero
    li   s3, 0                   # number of the check
    expect a0, 0                 # we are hart 0
    la   t0, failed
    csrw stvec, t0

    li   a0, 1                   # the others are there, and stopped
    sbi  SBI_EXT_HSM, SBI_HSM_STATUS
    expect a1, SBI_HSM_STOPPED
    li   a0, HARTS
    sbi  SBI_EXT_HSM, SBI_HSM_STATUS
    expect a0, SBI_ERR_INVALID_PARAM
    li   s6, 1
1:  mv   a0, s6                  # start them
    la   a1, other
    li   a2, OPAQUE
    add  a2, a2, s6
    sbi  SBI_EXT_HSM, SBI_HSM_START
    expect a0, SBI_SUCCESS
    mv   a0, s6
    la   a1, other
    sbi  SBI_EXT_HSM, SBI_HSM_START
    expect a0, SBI_ERR_ALREADY_AVAILABLE
    addi s6, s6, 1
    li   t0, HARTS
    bne  s6, t0, 1b
    await started, HARTS-1
    await_state 1, SBI_HSM_STARTED

    li   a0, 0b1110              # an interrupt to each of them
    li   a1, 0
    sbi  SBI_EXT_IPI, SBI_IPI_SEND
    expect a0, SBI_SUCCESS
    await interrupted, HARTS-1
    li   a0, 0b1000              # and to none that there is not
    li   a1, 1
    sbi  SBI_EXT_IPI, SBI_IPI_SEND
    expect a0, SBI_ERR_INVALID_PARAM

    await_state 3, SBI_HSM_STOPPED
    li   a0, 3                   # hart 3 has stopped: once more
    la   a1, other
    li   a2, OPAQUE+3
    sbi  SBI_EXT_HSM, SBI_HSM_START
    expect a0, SBI_SUCCESS
    await started, HARTS

    await_state 2, SBI_HSM_SUSPENDED
    li   a0, 1                   # hart 2 sleeps until interrupted, and begins elsewhere
    li   a1, 2
    sbi  SBI_EXT_IPI, SBI_IPI_SEND
    await resumed, OPAQUE+0x100

    await page_seen, 1           # hart 1 has used the old translation
    la   t0, table
    li   t1, ((RAM_BASE + MEGA_BYTES) >> PAGE_SHIFT << PTE_PPN_SHIFT) | LEAF
    li   t2, (SEEN >> MEGA_SHIFT) * WORD
    add  t0, t0, t2
    sw   t1, 0(t0)
    li   a0, 0b10
    li   a1, 0
    li   a2, SEEN
    li   a3, PAGE_SIZE
    sbi  SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA
    expect a0, SBI_SUCCESS
    tell page_changed, 1
    await page_seen, 2
    load_word s6, wrong
    expect s6, 0
    la   a0, text_ok
    call print_str
    li   a0, SBI_SRST_NO_REASON
    tail sbi_shutdown

failed:
    la   a0, text_failed
    call print_str
    mv   a0, s3
    call print_dec
    call print_newline
    li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

    .include "probes/hsm_others.inc"

    .section .rodata
text_ok:
    .asciz "probe hsm: ok\n"
text_failed:
    .asciz "probe hsm: check failed: "
