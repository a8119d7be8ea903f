# base.s: the BASE extension.
# Purpose: tell which SBI this is and what it can do.
# Mode: M.
# Entry points: base_call.

    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/identity.inc"

.equ POINTER_SHIFT, 2

    .section .text
    .globl base_call

# base_call: one function of BASE.
# In: a0 trap frame.  Out: a0 error, a1 value.  Clobbers: t0, t1.
base_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_BASE_FUNCTIONS
    bgeu t0, t1, not_supported
    slli t0, t0, POINTER_SHIFT
    la   t1, functions
    add  t1, t1, t0
    lw   t1, 0(t1)
    jr   t1

spec_version:
    li   a1, SBI_SPEC_1_0
    j    success

implementation_id:
    li   a1, IMPLEMENTATION_ID
    j    success

implementation_version:
    li   a1, IMPLEMENTATION_VERSION
    j    success

probe:
    prologue 0
    lw   a0, FRAME_A0(a0)
    call sbi_extension_known
    mv   a1, a0
    li   a0, SBI_SUCCESS
    epilogue 0

vendor:
    csrr a1, mvendorid
    j    success

architecture:
    csrr a1, marchid
    j    success

implementation:
    csrr a1, mimpid

success:
    li   a0, SBI_SUCCESS
    ret

not_supported:
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

    .section .rodata
    .align 2
functions:                       # by function number
    .word spec_version, implementation_id, implementation_version, probe
    .word vendor, architecture, implementation
