# hsm.s: the HSM extension.
# Purpose: the kernel starts, stops and suspends harts.
# Mode: M.
# Entry points: hsm_call.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

.equ KERNEL_INTERRUPTS, MIP_SSIP | MIP_STIP | MIP_SEIP
.equ TYPE_BITS, 0x7fffffff       # of a suspend type, without the one for "not retentive"
.equ TYPE_PLATFORM, 0x10000000   # from here on types are a platform's own

    .section .text
    .globl hsm_call

# hsm_call: one function of HSM.
# In: a0 trap frame.  Out: a0 error, a1 value, or does not return.  Clobbers: t0-t6, a2.
hsm_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_HSM_FUNCTIONS
    bgeu t0, t1, not_supported
    slli t0, t0, 2
    la   t1, functions
    add  t1, t1, t0
    lw   t1, 0(t1)
    jr   t1

# start: a stopped hart begins in the kernel.
start:
    prologue 2
    mv   s0, a0
    lw   a0, FRAME_A0(s0)
    load_word t0, hart_total
    bgeu a0, t0, invalid_param
    call hart_record
    mv   s1, a0
    lw   a0, FRAME_A1(s0)
    call entry_check
    bnez a0, invalid_address
    lw   t0, FRAME_A1(s0)
    lw   t1, FRAME_A2(s0)
    addi t2, s1, HART_STATE
    li   t3, SBI_HSM_STOPPED
    li   t4, SBI_HSM_START_PENDING
1:  lr.w t5, (t2)                # of two that start it, one is too late
    bne  t5, t3, already
    sw   t0, HART_PC(s1)
    sw   t1, HART_OPAQUE(s1)
    sc.w t5, t4, (t2)
    bnez t5, 1b
    lw   a0, FRAME_A0(s0)
    li   t0, 1
    sll  a0, t0, a0
    li   a1, 0                   # no request but to wake up
    call remote_send
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 2
invalid_param:
    li   a0, SBI_ERR_INVALID_PARAM
    j    1f
invalid_address:
    li   a0, SBI_ERR_INVALID_ADDRESS
    j    1f
already:
    li   a0, SBI_ERR_ALREADY_AVAILABLE
1:  li   a1, 0
    epilogue 2

# stop: this hart, until somebody starts it.
stop:
    call hart_own
    fence
    li   t0, SBI_HSM_STOPPED
    sw   t0, HART_STATE(a0)
    call time_never
    csrr t0, mhartid
    slli t0, t0, FIRMWARE_STACK_SHIFT
    la   sp, firmware_stack_top
    sub  sp, sp, t0
    tail hart_wait

# status: what a hart does.
status:
    lw   a0, FRAME_A0(a0)
    load_word t0, hart_total
    bgeu a0, t0, 1f
    prologue 0
    call hart_record
    lw   a1, HART_STATE(a0)
    li   a0, SBI_SUCCESS
    epilogue 0
1:  li   a0, SBI_ERR_INVALID_PARAM
    li   a1, 0
    ret

# suspend: wait for an interrupt; then go on behind the call, or begin at an address.
suspend:
    prologue 2
    mv   s0, a0
    lw   s1, FRAME_A0(s0)
    beqz s1, 2f                  # retentive
    li   t0, SBI_HSM_NON_RETENTIVE
    bne  s1, t0, 1f
    lw   a0, FRAME_A1(s0)
    call entry_check
    bnez a0, invalid_address
    j    2f
1:  li   t0, TYPE_BITS
    and  s1, s1, t0
    li   t0, TYPE_PLATFORM
    bltu s1, t0, invalid_param
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    epilogue 2
2:  call hart_own
    li   t0, SBI_HSM_SUSPENDED
    sw   t0, HART_STATE(a0)
    csrr t0, mie
3:  csrr t0, mip
    csrr t1, mie
    and  t0, t0, t1
    andi t1, t0, MIP_MSIP
    beqz t1, 4f
    call remote_interrupt
    j    3b
4:  andi t1, t0, MIP_MTIP
    beqz t1, 5f
    call timer_interrupt
    j    3b
5:  andi t0, t0, KERNEL_INTERRUPTS
    bnez t0, 6f
    wfi
    j    3b
6:  call hart_own
    li   t0, SBI_HSM_STARTED
    sw   t0, HART_STATE(a0)
    bnez s1, 7f
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 2
7:  lw   a1, FRAME_A2(s0)
    lw   a0, FRAME_A1(s0)
    addi sp, s0, FRAME_SIZE      # the stack is empty again
    tail hart_enter

# entry_check: can a hart begin at an address?  Memory that is not there faults (see console.s).
# In: a0 address.  Out: a0 = 0 if it can.  Clobbers: t0, t1.
entry_check:
    andi t0, a0, WORD-1
    bnez t0, 1f
    li   t0, FIRMWARE_END
    bltu a0, t0, 1f              # devices, or the firmware's own memory
    la   t0, 1f
    csrw mtvec, t0
    lw   t0, 0(a0)
    la   t0, trap_entry
    csrw mtvec, t0
    li   a0, 0
    ret
    .align 2
1:  la   t0, trap_entry
    csrw mtvec, t0
    li   a0, 1
    ret

not_supported:
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

    .section .rodata
    .align 2
functions:                       # by function number
    .word start, stop, status, suspend
