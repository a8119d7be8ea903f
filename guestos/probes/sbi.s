# sbi.s: what the SBI firmware answers.
# Purpose: print its words, which all firmwares of this project share; check timer and traps.
# Source: SBI specification 1.0 (DBCN: 2.0), chapters 3 to 10 and 12.  Mode: S, at SBI_KERNEL_BASE.
# Entry points: _start.

    .include "abi.inc"
    .include "csr.inc"
    .include "sbi.inc"

.equ STACK_BYTES, 4096
.equ DELAY, 1000                 # ticks of mtime
.equ CALL_WORDS, 6               # of a row in sbi_calls.s

    .section .text
    .globl _start

_start:
    la   sp, stack_top
    csrw sie, zero
    la   t0, trap
    csrw stvec, t0

    la   s0, sbi_calls
    la   s5, sbi_calls_end
    call print_answers
    la   s0, sbi_hart_calls
    la   s5, sbi_hart_calls_end
    call print_answers
    j    check_timer

# print_answers: make the calls of a table and print what comes back.
# In: s0 first row, s5 end of the table.  Out: none.  Clobbers: t0-t6, a0-a7, s0-s2, s6.
print_answers:
    mv   s6, ra
1:  lw   a7, 0*WORD(s0)
    lw   a6, 1*WORD(s0)
    lw   a0, 2*WORD(s0)
    lw   a1, 3*WORD(s0)
    lw   a2, 4*WORD(s0)
    ecall
    mv   s1, a0
    mv   s2, a1
    lw   a0, 5*WORD(s0)
    call print_str
    mv   a0, s1
    call print_hex
    li   a0, ' '
    call print_char
    mv   a0, s2
    call print_hex
    call print_newline
    addi s0, s0, CALL_WORDS*WORD
    bne  s0, s5, 1b
    jr   s6

    # A timer interrupt shows in sip, not before its time, and is answered by the next deadline.
check_timer:
    csrw sip, zero               # what the calls have raised
    li   s3, 1                   # number of the check
    rdtimeh a1
    rdtime s4
    addi s4, s4, DELAY
    sltiu t0, s4, DELAY
    add  a1, a1, t0
    mv   a0, s4
    call sbi_set_timer
    li   t0, SIE_STIE
    csrw sie, t0
1:  wfi
    csrr t0, sip
    andi t0, t0, SIP_STIP
    beqz t0, 1b
    rdtime t0
    sub  t0, t0, s4
    bltz t0, failed
    addi s3, s3, 1
    li   a0, -1
    li   a1, -1
    call sbi_set_timer
    csrr t0, sip
    andi t0, t0, SIP_STIP
    bnez t0, failed

    # Traps that S-mode may have, whoever takes them first.
    addi s3, s3, 1
    li   s5, -1
0:  .word 0
    li   t0, CAUSE_ILLEGAL_INSN
    bne  s5, t0, failed
    la   t0, 0b
    bne  s6, t0, failed
    addi s3, s3, 1
    li   s5, -1
    ebreak
    li   t0, CAUSE_BREAKPOINT
    bne  s5, t0, failed
    addi s3, s3, 1
    li   s5, -1
    li   t1, 0x0a000000          # neither RAM nor a device
    lw   t1, 0(t1)
    li   t0, CAUSE_LOAD_ACCESS_FAULT
    bne  s5, t0, failed
    li   t0, 0x0a000000
    bne  s7, t0, failed
    andi s8, s8, SSTATUS_SPP | SSTATUS_SIE
    addi s3, s3, 1
    li   t0, SSTATUS_SPP
    bne  s8, t0, failed

    rdcycle t0                   # the counters are open to S-mode
    rdinstret t0
    la   a0, text_ok
    call print_str
    li   a0, SBI_SRST_NO_REASON
    tail sbi_shutdown

failed:
    la   a0, text_failed
    call print_str
    mv   a0, s3
    call print_dec
    call print_newline
    li   a0, SBI_SRST_SYSTEM_FAILURE
    tail sbi_shutdown

# trap: keep what it was, go on behind the instruction.
    .align 2
trap:
    csrr s5, scause
    csrr s6, sepc
    csrr s7, stval
    csrr s8, sstatus
    addi t2, s6, 4
    csrw sepc, t2
    sret

    .section .rodata
text_ok:
    .asciz "probe sbi: ok\n"
text_failed:
    .asciz "probe sbi: check failed: "

    .section .bss
    .align 4
    .space STACK_BYTES
stack_top:
