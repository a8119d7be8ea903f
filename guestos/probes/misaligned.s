# misaligned.s: misaligned loads and stores, which this machine carries out.
# Purpose: every width at every offset, within a word, across words, across a page's end.
# Source: Unprivileged ISA, section 2.6.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ CANARY, 0x55

# load_at OFFSET, WORD_WANT, HALF_WANT: both widths and signs.
.macro load_at offset, word_want, half_want
    lw   s1, \offset(s0)
    check s1, \word_want
    lhu  s1, \offset(s0)
    check s1, \half_want
    lh   s1, \offset(s0)
    check s1, (\half_want^0x8000)-0x8000
.endm

    probe_begin misaligned

    la   s0, bytes
    load_at 0, 0xb3a291f0, 0x91f0
    load_at 1, 0xc4b3a291, 0xa291
    load_at 2, 0xd5c4b3a2, 0xb3a2
    load_at 3, 0xe6d5c4b3, 0xc4b3

    # Stores at the end of one page and the start of the next, the bytes around untouched.
    li   s2, 0x44332211
    li   s3, 1                   # bytes before the page's end
1:  la   s0, page_end
    la   s4, page_end + 2*WORD
    addi s5, s0, -2*WORD
    li   t0, CANARY
2:  sb   t0, 0(s5)
    addi s5, s5, 1
    bne  s5, s4, 2b
    sub  s5, s0, s3
    sw   s2, 0(s5)
    lw   s6, 0(s5)
    check_same s6, s2
    lbu  s6, 0(s5)
    check s6, 0x11
    lbu  s6, 3(s5)
    check s6, 0x44
    lbu  s6, -1(s5)
    check s6, CANARY
    lbu  s6, 4(s5)
    check s6, CANARY
    addi s3, s3, 1
    li   t0, WORD
    bne  s3, t0, 1b

    la   s0, page_end
    li   s2, 0xbeef
    sh   s2, -1(s0)
    lbu  s1, -1(s0)
    check s1, 0xef
    lbu  s1, 0(s0)
    check s1, 0xbe
    lhu  s1, -1(s0)
    check_same s1, s2
    tail probe_ok

    .section .rodata
    .align 2
bytes:
    .byte 0xf0, 0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7

    .section .bss
    .align 12
    .space PAGE_SIZE
page_end:
    .space PAGE_SIZE
