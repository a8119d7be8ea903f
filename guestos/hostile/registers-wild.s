# registers-wild.s: every register of the disk with every width and alignment.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   s5, VIRTIO_STRIDE - 4
again:
    add  s6, s0, s5
    lb   t2, 0(s6)
    lh   t2, 1(s6)
    lw   t2, 0(s6)
    sb   s5, 1(s6)
    sh   s5, 2(s6)
    sw   s5, 0(s6)
    addi s5, s5, -4
    bgez s5, again
    blk_works
    finish
    .section .text
    blk_code
