# finisher.s: switch the machine off.
# Purpose: end with success or with a code.  Mode: M.
# Entry points: finish_pass, finish_fail.

    .include "platform.inc"

.equ CODE_SHIFT, 16

    .section .text
    .globl finish_pass
    .globl finish_fail

# finish_pass: end with success.
# In: none.  Out: does not return.
finish_pass:
    li   t1, FINISHER_PASS
    j    1f

# finish_fail: end with a code.
# In: a0 code, 1 to 65535.  Out: does not return.
finish_fail:
    slli t1, a0, CODE_SHIFT
    li   t0, FINISHER_FAIL
    or   t1, t1, t0
1:  li   t0, FINISHER_BASE
    sw   t1, 0(t0)
2:  wfi
    j    2b
