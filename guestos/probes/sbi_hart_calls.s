# sbi_hart_calls.s: the calls about harts that the SBI probe makes, on a machine with one hart.
# Purpose: a table as in sbi_calls.s, for IPI, RFENCE, HSM and their legacy forms.
# Mode: S.
# Entry points: sbi_hart_calls, sbi_hart_calls_end.

    .include "abi.inc"
    .include "sbi.inc"
    .include "probes/sbi_row.inc"

.equ NO_FUNCTION, 99
.equ HOLE, 0x0a000000            # neither RAM nor a device

    .globl sbi_hart_calls
    .globl sbi_hart_calls_end

    .section .rodata
    .align 2
sbi_hart_calls:
    row  SBI_EXT_IPI, NO_FUNCTION, 1, 0, 3, t_ipi_function
    row  SBI_EXT_RFENCE, NO_FUNCTION, 1, 0, 3, t_fence_function
    row  SBI_EXT_HSM, NO_FUNCTION, 1, 2, 3, t_hsm_function
    row  SBI_LEGACY_CLEAR_IPI, 0, 1, 2, 3, t_legacy
    row  SBI_EXT_IPI, SBI_IPI_SEND, 1, 0, 0, t_ipi
    row  SBI_LEGACY_CLEAR_IPI, 0, 1, 2, 3, t_clear
    row  SBI_EXT_IPI, SBI_IPI_SEND, 0, SBI_ALL_HARTS, 0, t_ipi_all
    row  SBI_EXT_IPI, SBI_IPI_SEND, 0, 0, 0, t_ipi_none
    row  SBI_EXT_IPI, SBI_IPI_SEND, 3, 0, 0, t_ipi_bad
    row  SBI_EXT_IPI, SBI_IPI_SEND, 0, 8, 0, t_ipi_base
    row  SBI_EXT_RFENCE, SBI_RFENCE_FENCE_I, 1, 0, 0, t_fence_i
    row  SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA, 0, SBI_ALL_HARTS, 0, t_fence
    row  SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA_ASID, 1, 0, 0x1000, t_fence_asid
    row  SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA, 4, 0, 0, t_fence_bad
    row  SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA_ASID+1, 1, 0, 0, t_fence_guest
    row  SBI_EXT_HSM, SBI_HSM_STATUS, 0, 0, 0, t_status
    row  SBI_EXT_HSM, SBI_HSM_STATUS, 9, 0, 0, t_status_bad
    row  SBI_EXT_HSM, SBI_HSM_START, 0, SBI_KERNEL_BASE, 0, t_start
    row  SBI_EXT_HSM, SBI_HSM_START, 9, SBI_KERNEL_BASE, 0, t_start_bad
    row  SBI_EXT_HSM, SBI_HSM_START, 0, HOLE, 0, t_start_hole
    row  SBI_EXT_HSM, SBI_HSM_START, 0, SBI_KERNEL_BASE+2, 0, t_start_odd
    row  SBI_EXT_HSM, SBI_HSM_SUSPEND, 1, 0, 0, t_suspend
    row  SBI_EXT_HSM, SBI_HSM_SUSPEND, 0x10000000, 0, 0, t_suspend_own
    row  SBI_EXT_HSM, SBI_HSM_SUSPEND, SBI_HSM_NON_RETENTIVE, HOLE, 0, t_suspend_hole
    row  SBI_EXT_HSM, SBI_HSM_SUSPEND, SBI_HSM_NON_RETENTIVE+1, 0, 0, t_suspend_non
    row  SBI_EXT_HSM, SBI_HSM_SUSPEND, 0x90000000, 0, 0, t_suspend_far
    row  SBI_LEGACY_SEND_IPI, 0, 0, 2, 3, t_send
    row  SBI_LEGACY_SEND_IPI, 0, HOLE, 2, 3, t_send_hole
    row  SBI_LEGACY_SEND_IPI, 0, both, 2, 3, t_send_bad
    row  SBI_LEGACY_REMOTE_FENCE_I, 0, 0, 2, 3, t_remote_i
    row  SBI_LEGACY_REMOTE_SFENCE_VMA, 0, 0, 2, 3, t_remote
    row  SBI_LEGACY_REMOTE_SFENCE_VMA_ASID, 0, 0, 2, 3, t_remote_asid
sbi_hart_calls_end:

both:
    .word 3                      # harts 0 and 1
t_ipi_function:
    .asciz "IPI function 99: "
t_fence_function:
    .asciz "RFENCE function 99: "
t_hsm_function:
    .asciz "HSM function 99: "
t_legacy:
    .asciz "legacy clear_ipi: "
t_ipi:
    .asciz "IPI to hart 0: "
t_clear:
    .asciz "legacy clear_ipi after it: "
t_ipi_all:
    .asciz "IPI to all harts: "
t_ipi_none:
    .asciz "IPI to nobody: "
t_ipi_bad:
    .asciz "IPI to a hart too many: "
t_ipi_base:
    .asciz "IPI from hart 8 on: "
t_fence_i:
    .asciz "RFENCE fence.i: "
t_fence:
    .asciz "RFENCE sfence.vma: "
t_fence_asid:
    .asciz "RFENCE sfence.vma of an ASID: "
t_fence_bad:
    .asciz "RFENCE of a hart too many: "
t_fence_guest:
    .asciz "RFENCE of guests: "
t_status:
    .asciz "HSM status: "
t_status_bad:
    .asciz "HSM status of no hart: "
t_start:
    .asciz "HSM start of hart 0: "
t_start_bad:
    .asciz "HSM start of no hart: "
t_start_hole:
    .asciz "HSM start at no memory: "
t_start_odd:
    .asciz "HSM start at half a word: "
t_suspend:
    .asciz "HSM suspend, reserved: "
t_suspend_own:
    .asciz "HSM suspend, a platform's: "
t_suspend_hole:
    .asciz "HSM suspend to no memory: "
t_suspend_non:
    .asciz "HSM suspend, reserved and non-retentive: "
t_suspend_far:
    .asciz "HSM suspend, a platform's non-retentive: "
t_send:
    .asciz "legacy send_ipi to all: "
t_send_hole:
    .asciz "legacy send_ipi with no mask: "
t_send_bad:
    .asciz "legacy send_ipi to a hart too many: "
t_remote_i:
    .asciz "legacy remote_fence_i: "
t_remote:
    .asciz "legacy remote_sfence_vma: "
t_remote_asid:
    .asciz "legacy remote_sfence_vma_asid: "
