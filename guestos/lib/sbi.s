# sbi.s: calls to the SBI firmware.
# Purpose: what kernels in S-mode need of it.  Mode: S.
# Entry points: sbi_probe, sbi_set_timer, sbi_write, sbi_putchar, sbi_shutdown.

    .include "abi.inc"
    .include "sbi.inc"

    .section .text
    .globl sbi_probe
    .globl sbi_set_timer
    .globl sbi_write
    .globl sbi_putchar
    .globl sbi_shutdown

# sbi_probe: is an extension there?
# In: a0 extension.  Out: a0 = 0 if not.  Clobbers: a1, a6, a7.
sbi_probe:
    li   a7, SBI_EXT_BASE
    li   a6, SBI_BASE_PROBE
    ecall
    mv   a0, a1
    ret

# sbi_set_timer: ask for a timer interrupt, and clear the one that is pending.
# In: a0, a1 mtime (low, high word) of the interrupt.  Out: none.  Clobbers: a0, a1, a6, a7.
sbi_set_timer:
    li   a7, SBI_EXT_TIME
    li   a6, SBI_TIME_SET_TIMER
    ecall
    ret

# sbi_write: bytes to the debug console.
# In: a0 physical address, a1 bytes.
# Out: a0 error, a1 bytes written (may be fewer).  Clobbers: a2, a6, a7.
sbi_write:
    mv   a2, a0
    mv   a0, a1
    mv   a1, a2
    li   a2, 0                   # upper word of the address
    li   a7, SBI_EXT_DBCN
    li   a6, SBI_DBCN_WRITE
    ecall
    ret

# sbi_putchar: one byte by the legacy call, which every firmware has.
# In: a0 byte.  Out: none.  Clobbers: a0, a7.
sbi_putchar:
    li   a7, SBI_LEGACY_PUTCHAR
    ecall
    ret

# sbi_shutdown: switch the machine off.
# In: a0 reset reason (SBI_SRST_NO_REASON: success).  Out: does not return.
sbi_shutdown:
    mv   a1, a0
    li   a0, SBI_SRST_SHUTDOWN
    li   a7, SBI_EXT_SRST
    li   a6, SBI_SRST_RESET
    ecall
    li   a7, SBI_LEGACY_SHUTDOWN # firmware without SRST
    ecall
1:  wfi
    j    1b
