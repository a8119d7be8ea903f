# avail-jump.s: an available index that jumps ahead by 40,000.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    request
    kick 40000
    kick 39999
    blk_works
    finish
    .section .text
    blk_code
