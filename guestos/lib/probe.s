# probe.s: the frame of a probe, a tiny guest that checks itself.
# Purpose: start it, catch its traps, count its checks, report and end.
# Mode: M, at RAM_BASE; the probe itself also visits S and U.
# Entry points: _start, probe_check, probe_ok; probe_resume, probe_cause, probe_epc, probe_value,
# probe_status; tohost.  The probe provides probe_name and probe_main.
#
# Report: "probe NAME: ok", or "probe NAME: check K failed: got X want Y".
# End: tohost (as riscv-tests use it), then the test finisher; the exit code is K.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"

.equ STACK_BYTES, 4096
.equ PMP_OPEN, (PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 24 # entry 15 is the top byte of pmpcfg3
.equ PMP_EVERYTHING, -1
.equ PASS, 1                     # tohost: 1, or the exit code times two plus one

    .section .text
    .globl _start
    .globl probe_check
    .globl probe_ok
    .globl probe_resume
    .globl probe_cause
    .globl probe_epc
    .globl probe_value
    .globl probe_status
    .globl tohost
    .globl fromhost

_start:
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, park
    la   sp, stack_top
    la   t0, 1f                  # a hart without PMP traps here: nothing to open
    csrw mtvec, t0
    li   t0, PMP_EVERYTHING      # the last entry, so that a probe can use the ones before it
    csrw pmpaddr15, t0
    li   t0, PMP_OPEN
    csrw pmpcfg3, t0
    .align 2
1:  la   t0, trap
    csrw mtvec, t0
    la   t0, scratch
    csrw mscratch, t0
    call probe_main

# probe_ok: all checks have passed.
# In: none.  Out: does not return.
probe_ok:
    la   a0, text_probe
    call print_str
    la   a0, probe_name
    call print_str
    la   a0, text_ok
    call print_str
    li   s0, 0
    j    end

# probe_check: one check.
# In: a0 got, a1 want.  Out: none; if they differ: the probe ends.  Clobbers: t5, t6.
probe_check:
    la   t5, checks
    lw   t6, 0(t5)
    addi t6, t6, 1
    sw   t6, 0(t5)
    bne  a0, a1, 1f
    ret
1:  mv   s0, t6
    mv   s1, a0
    mv   s2, a1
    call report
    mv   a0, s1
    call print_hex
    la   a0, text_want
    call print_str
    mv   a0, s2
    call print_hex
    call print_newline
    j    end

# report: the beginning of a failure's line.
# In: s0 number of the check.  Out: none.  Clobbers: t0-t6, a0-a7.
report:
    prologue 0
    la   a0, text_probe
    call print_str
    la   a0, probe_name
    call print_str
    la   a0, text_check
    call print_str
    mv   a0, s0
    call print_dec
    la   a0, text_failed
    call print_str
    epilogue 0

# end: s0 is the exit code.  A machine that ends on tohost does not reach the finisher; one
# without a finisher traps there, and stays.
end:
    la   t0, park
    csrw mtvec, t0
    csrw mie, zero
    la   t0, tohost
    slli t1, s0, 1
    ori  t1, t1, PASS
    sw   t1, 0(t0)
    sw   zero, WORD(t0)
    mv   a0, s0
    bnez a0, 1f
    tail finish_pass
1:  tail finish_fail

    .align 2
park:
    j    park

# trap: note what it was, go on in M-mode where on_trap said.
    .align 2
trap:
    csrrw sp, mscratch, sp
    sw   t0, 0*WORD(sp)
    sw   t1, 1*WORD(sp)
    la   t0, probe_cause
    csrr t1, mcause
    sw   t1, 0(t0)
    la   t0, probe_epc
    csrr t1, mepc
    sw   t1, 0(t0)
    la   t0, probe_value
    csrr t1, mtval
    sw   t1, 0(t0)
    la   t0, probe_status
    csrr t1, mstatus
    sw   t1, 0(t0)
    la   t0, probe_resume
    lw   t1, 0(t0)
    beqz t1, unexpected
    sw   zero, 0(t0)
    csrw mepc, t1
    li   t0, MSTATUS_MPIE
    csrc mstatus, t0
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    lw   t0, 0*WORD(sp)
    lw   t1, 1*WORD(sp)
    csrrw sp, mscratch, sp
    mret

unexpected:
    la   sp, stack_top
    load_word s0, checks
    addi s0, s0, 1               # it happened on the way to this check
    call report
    la   a0, text_trap
    call print_str
    csrr a0, mcause
    call print_hex
    la   a0, text_at
    call print_str
    csrr a0, mepc
    call print_hex
    la   a0, text_no_trap
    call print_str
    j    end

    .section .rodata
text_probe:
    .asciz "probe "
text_ok:
    .asciz ": ok\n"
text_check:
    .asciz ": check "
text_failed:
    .asciz " failed: got "
text_want:
    .asciz " want "
text_trap:
    .asciz "trap "
text_at:
    .asciz " at "
text_no_trap:
    .asciz " want none\n"

    .section .data
    .align 3
tohost:
    .space 2*WORD
fromhost:
    .space 2*WORD

    .section .bss
    .align 4
    .space STACK_BYTES
stack_top:
scratch:
    .space 2*WORD
probe_resume:
    .space WORD
probe_cause:
    .space WORD
probe_epc:
    .space WORD
probe_value:
    .space WORD
probe_status:
    .space WORD
checks:
    .space WORD
