# reset.s: the SRST extension.
# Purpose: switch the machine off or restart it, through the test finisher.
# Mode: M.
# Entry points: reset_call, shutdown.

    .include "platform.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

    .section .text
    .globl reset_call
    .globl shutdown

# reset_call: one function of SRST.
# In: a0 trap frame (its a0: type, a1: reason).  Out: a0 error, a1 value, or does not return.
# Clobbers: t0, t1.
reset_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_SRST_RESET
    bne  t0, t1, 3f
    lw   t0, FRAME_A1(a0)
    li   t1, SBI_SRST_SYSTEM_FAILURE
    bgtu t0, t1, 2f              # a reason that is reserved
    lw   t2, FRAME_A0(a0)
    li   t1, SBI_SRST_WARM_REBOOT
    bgtu t2, t1, 2f              # a type that is reserved
    bnez t2, 1f
    beqz t0, shutdown
    li   a0, FAIL_SYSTEM_FAILURE
    call finish_fail
1:  li   t0, FINISHER_BASE
    li   t1, FINISHER_RESET
    sw   t1, 0(t0)
    j    park
2:  li   a0, SBI_ERR_INVALID_PARAM
    li   a1, 0
    ret
3:  li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

# shutdown: end with success.
# In: none.  Out: does not return.
shutdown:
    call finish_pass

park:
    wfi
    j    park
