# probe_report.s: a probe's checks, its report and its end.
# Purpose: count checks, say which one failed, end with its number as exit code.
# Mode: M.
# Entry points: probe_check, probe_ok, probe_trapped, probe_park; tohost, fromhost.
# The probe provides probe_name.
#
# Report: "probe NAME: ok", or "probe NAME: check K failed: got X want Y".
# End: tohost (as riscv-tests use it), then the test finisher; the exit code is K.

    .include "csr.inc"
    .include "abi.inc"

.equ PASS, 1                     # tohost: 1, or the exit code times two plus one

    .section .text
    .globl probe_check
    .globl probe_ok
    .globl probe_trapped
    .globl probe_park
    .globl tohost
    .globl fromhost

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

# probe_trapped: a trap that no check expected.
# In: mcause, mepc.  Out: does not return.
probe_trapped:
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

# end: s0 is the exit code.  A machine that ends on tohost does not reach the finisher; one
# without a finisher traps there, and stays.
end:
    la   t0, probe_park
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

# probe_park: nothing more happens.
# In: none.  Out: does not return.
probe_park:
    j    probe_park

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
    .align 2
checks:
    .space WORD
