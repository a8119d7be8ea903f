# finisher.s: the test finisher.
# Purpose: what can be read and written there without ending the machine.
# Source: QEMU's virt board, sifive_test.  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ SECOND_WORD, 4
.equ LAST_WORD, FINISHER_SIZE - 4
.equ NOTHING_KNOWN, 0x1234

# try LABEL, INSTRUCTION...: a load or store; what it traps with, NO_TRAP if it does not.
.macro try label, operation, register, address
    on_trap 8f
    \operation \register, 0(\address)
8:  la   t5, probe_resume
    sw   zero, 0(t5)
    load_word s2, probe_cause
    show "\label", s2
.endm

    probe_begin finisher

    li   s0, FINISHER_BASE
    lw   s1, 0(s0)
    show "word", s1
    lhu  s1, 0(s0)
    show "half", s1
    lw   s1, SECOND_WORD(s0)
    show "second word", s1
    li   s3, LAST_WORD
    add  s3, s3, s0
    lw   s1, 0(s3)
    show "last word", s1
    try  "load byte", lbu, s1, s0
    try  "store byte", sb, zero, s0
    li   s1, NOTHING_KNOWN
    try  "store word", sw, s1, s0
    try  "store half", sh, s1, s0
    li   s1, FINISHER_PASS
    addi s3, s0, SECOND_WORD
    try  "store second", sw, s1, s3
    tail probe_ok
