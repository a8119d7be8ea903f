# sbi_calls.s: the calls that the SBI probe makes.
# Purpose: a table: extension, function, three arguments, what to print before the answer.
# Mode: S.
# Entry points: sbi_calls, sbi_calls_end.

    .include "abi.inc"
    .include "sbi.inc"
    .include "probes/sbi_row.inc"

.equ UNKNOWN, 0x12345678         # an extension that does not exist
.equ NO_FUNCTION, 99
.equ HOLE, 0x0a000000            # neither RAM nor a device

    .globl sbi_calls
    .globl sbi_calls_end

    .section .rodata
    .align 2
sbi_calls:
    row  SBI_EXT_BASE, SBI_BASE_SPEC_VERSION, 0, 0, 0, t_spec
    row  SBI_EXT_BASE, SBI_BASE_IMPL_ID, 0, 0, 0, t_id
    row  SBI_EXT_BASE, SBI_BASE_IMPL_VERSION, 0, 0, 0, t_version
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_BASE, 0, 0, t_base
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_TIME, 0, 0, t_time
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_SRST, 0, 0, t_srst
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_DBCN, 0, 0, t_dbcn
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_IPI, 0, 0, t_probe_ipi
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_RFENCE, 0, 0, t_probe_fence
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_HSM, 0, 0, t_probe_hsm
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_LEGACY_SEND_IPI, 0, 0, t_probe_send
    row  SBI_EXT_BASE, SBI_BASE_PROBE, SBI_LEGACY_PUTCHAR, 0, 0, t_putchar
    row  SBI_EXT_BASE, SBI_BASE_PROBE, UNKNOWN, 0, 0, t_unknown
    row  SBI_EXT_BASE, NO_FUNCTION, 1, 2, 3, t_base_function
    row  SBI_EXT_TIME, NO_FUNCTION, 1, 2, 3, t_time_function
    row  SBI_EXT_SRST, NO_FUNCTION, 1, 2, 3, t_srst_function
    row  SBI_EXT_DBCN, NO_FUNCTION, 1, 2, 3, t_dbcn_function
    row  UNKNOWN, 0, 1, 2, 3, t_extension
    row  SBI_LEGACY_GETCHAR, 0, 1, 2, 3, t_getchar
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE, text_end-text, text, 0, t_write
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE, 0, text, 0, t_write_nothing
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE, 4, HOLE, 0, t_write_hole
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE, 4, text, 1, t_write_high
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE, -1, text, 0, t_write_wrap
    row  SBI_EXT_DBCN, SBI_DBCN_WRITE_BYTE, '\n', 0, 0, t_write_byte
    row  SBI_EXT_DBCN, SBI_DBCN_READ, 4, buffer, 0, t_read
    row  SBI_EXT_SRST, SBI_SRST_RESET, 7, 0, 0, t_reset_type
    row  SBI_EXT_SRST, SBI_SRST_RESET, 0, 7, 0, t_reset_reason
sbi_calls_end:

text:
    .ascii "written by DBCN\n"
text_end:
t_spec:
    .asciz "spec version: "
t_id:
    .asciz "implementation: "
t_version:
    .asciz "implementation version: "
t_base:
    .asciz "probe BASE: "
t_time:
    .asciz "probe TIME: "
t_srst:
    .asciz "probe SRST: "
t_dbcn:
    .asciz "probe DBCN: "
t_probe_ipi:
    .asciz "probe IPI: "
t_probe_fence:
    .asciz "probe RFENCE: "
t_probe_hsm:
    .asciz "probe HSM: "
t_probe_send:
    .asciz "probe legacy send_ipi: "
t_putchar:
    .asciz "probe legacy putchar: "
t_unknown:
    .asciz "probe unknown: "
t_base_function:
    .asciz "BASE function 99: "
t_time_function:
    .asciz "TIME function 99: "
t_srst_function:
    .asciz "SRST function 99: "
t_dbcn_function:
    .asciz "DBCN function 99: "
t_extension:
    .asciz "unknown extension: "
t_getchar:
    .asciz "legacy getchar without input: "
t_write:
    .asciz "DBCN write: "
t_write_nothing:
    .asciz "DBCN write of nothing: "
t_write_hole:
    .asciz "DBCN write from no memory: "
t_write_high:
    .asciz "DBCN write from above 4 GiB: "
t_write_wrap:
    .asciz "DBCN write beyond the end: "
t_write_byte:
    .asciz "DBCN write byte: "
t_read:
    .asciz "DBCN read without input: "
t_reset_type:
    .asciz "SRST reserved type: "
t_reset_reason:
    .asciz "SRST reserved reason: "

    .section .bss
    .align 2
buffer:
    .space 2*WORD
