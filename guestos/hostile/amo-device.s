# amo-device.s: atomics on a device, misaligned, and beside all memory.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, CLINT_BASE
    amoswap.w t2, zero, (s0)
    wants CAUSE_STORE_ACCESS_FAULT
    lr.w t2, (s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    sc.w t2, t2, (s0)
    wants CAUSE_STORE_ACCESS_FAULT
    addi s0, s10, 2
    amoor.w t2, zero, (s0)
    wants CAUSE_STORE_MISALIGNED
    lr.w t2, (s0)
    wants CAUSE_LOAD_MISALIGNED
    li   s0, HOLE
    amomaxu.w t2, zero, (s0)
    wants CAUSE_STORE_ACCESS_FAULT
    finish
