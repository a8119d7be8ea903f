# jump-odd.s: jumps to addresses that are no multiple of four.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    la   s0, target
    jalr ra, 2(s0)
    wants CAUSE_INSN_MISALIGNED
    jalr ra, 3(s0)
    wants CAUSE_INSN_MISALIGNED
    # Bit 0 of the sum is dropped.
    jalr ra, 1(s0)
    equal s9, NO_CAUSE
    j    over
target:
    ret
over:
    finish
