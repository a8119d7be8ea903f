# wfi-user.s: waiting where that is not allowed.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    as_user
    wfi
    wants CAUSE_ILLEGAL_INSN
    finish
