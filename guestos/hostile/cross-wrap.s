# cross-wrap.s: misaligned accesses at the last byte of the address space.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, -1
    lw   t2, 0(s0)
    wants CAUSE_LOAD_ACCESS_FAULT
    sh   t2, 0(s0)
    wants CAUSE_STORE_ACCESS_FAULT
    finish
