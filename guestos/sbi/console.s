# console.s: the DBCN extension.
# Purpose: write and read the kernel's bytes by physical address.
# Mode: M.
# Entry points: console_call.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

    .section .text
    .globl console_call

# console_call: one function of DBCN.
# In: a0 trap frame (its a0: bytes, a1 and a2: physical address; or a0: one byte).
# Out: a0 error, a1 value (bytes moved).  Clobbers: t0-t6, a2-a5.
console_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_DBCN_WRITE
    beq  t0, t1, write
    li   t1, SBI_DBCN_READ
    beq  t0, t1, read
    li   t1, SBI_DBCN_WRITE_BYTE
    beq  t0, t1, write_byte
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

write_byte:
    prologue 0
    lw   a0, FRAME_A0(a0)
    call uart_putc
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 0

# take_range: the kernel's buffer, checked to its last byte.  RAM's end is not known here: memory
# that is not there faults, which goes to bad_address from now on until moved.  mepc and mstatus,
# which such a fault overwrites, are in the trap frame.
# In: a0 trap frame.  Out: s0 and s2 start, s1 end; or not at all.  Clobbers: t0.
take_range:
    la   t0, bad_address
    csrw mtvec, t0
    lw   t0, FRAME_A2(a0)        # upper word of the address
    lw   s0, FRAME_A1(a0)
    lw   s1, FRAME_A0(a0)
    mv   s2, s0
    beqz s1, 1f
    bnez t0, bad_address
    li   t0, FIRMWARE_END
    bltu s0, t0, bad_address     # devices, or the firmware's own memory
    add  s1, s1, s0
    bltu s1, s0, bad_address     # wraps around
    lbu  t0, -1(s1)
    ret
1:  mv   s1, s0
    ret

write:
    prologue 3
    call take_range
1:  bgeu s0, s1, moved
    lbu  a0, 0(s0)
    call uart_putc
    addi s0, s0, 1
    j    1b

read:
    prologue 3
    call take_range
1:  bgeu s0, s1, moved
    call uart_getc
    bltz a0, moved               # nothing more has come
    sb   a0, 0(s0)
    addi s0, s0, 1
    j    1b

moved:
    la   t0, trap_entry
    csrw mtvec, t0
    sub  a1, s0, s2
    li   a0, SBI_SUCCESS
    epilogue 3

    .align 2
bad_address:
    la   t0, trap_entry
    csrw mtvec, t0
    li   a0, SBI_ERR_INVALID_PARAM
    li   a1, 0
    epilogue 3
