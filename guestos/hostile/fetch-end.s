# fetch-end.s: running past the last word of memory.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, RAM_END
    li   t0, 0x13
    sw   t0, -4(s0)
    fence.i
    jalr ra, -4(s0)
    wants CAUSE_INSN_ACCESS_FAULT
    bne  s8, s0, hostile_fail
    finish
