# arith.s: the corners of arithmetic.
# Purpose: multiplication, division, shifts, comparisons and x0, where they are easy to get wrong.
# Source: Unprivileged ISA, sections 2.4 (integer) and 7.1, 7.2 (M extension).  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"

.equ MIN, 0x80000000             # the most negative number
.equ MAX, 0x7fffffff

# binary OP, A, B, WANT: one instruction on two constants.
.macro binary op, a, b, want
    li   s0, \a
    li   s1, \b
    \op  s2, s0, s1
    check s2, \want
.endm

# immediate OP, A, B, WANT: one instruction on a constant and an immediate.
.macro immediate op, a, b, want
    li   s0, \a
    \op  s2, s0, \b
    check s2, \want
.endm

    probe_begin arith

    binary mul, -1, -1, 1
    binary mul, MIN, -1, MIN
    binary mul, 0x10001, 0x10001, 0x20001
    binary mulh, -1, -1, 0
    binary mulh, MIN, MIN, 0x40000000
    binary mulh, MIN, MAX, 0xc0000000
    binary mulhu, -1, -1, -2
    binary mulhu, MIN, 2, 1
    binary mulhsu, -1, -1, -1    # -1 times 4294967295
    binary mulhsu, MIN, -1, MIN
    binary mulhsu, MAX, -1, 0x7ffffffe

    binary div, 7, -2, -3        # towards zero
    binary div, -7, 2, -3
    binary rem, 7, -2, 1         # the sign of the dividend
    binary rem, -7, 2, -1
    binary div, MIN, -1, MIN     # overflow
    binary rem, MIN, -1, 0
    binary div, 5, 0, -1         # by zero
    binary rem, 5, 0, 5
    binary div, MIN, 0, -1
    binary rem, MIN, 0, MIN
    binary divu, 5, 0, -1
    binary remu, -5, 0, -5
    binary divu, -1, 2, MAX
    binary remu, -1, 10, 5       # 4294967295

    binary sll, 1, 32, 1         # only five bits of the amount count
    binary sll, 1, 63, MIN
    binary srl, MIN, -1, 1
    binary sra, MIN, 31, -1
    binary sra, MAX, 30, 1
    immediate srai, MIN, 31, -1
    immediate srli, MIN, 31, 1

    binary slt, MIN, 0, 1
    binary sltu, MIN, 0, 0
    binary sltu, 0, -1, 1
    immediate slti, -1, 0, 1
    immediate sltiu, 5, -1, 1    # the immediate is extended, then unsigned
    immediate sltiu, 0, 1, 1
    immediate xori, 0, -1, -1
    immediate addi, MAX, 1, MIN
    immediate addi, 0, -2048, 0xfffff800
    binary sub, MIN, 1, MAX

    li   s0, 5                   # x0 stays 0
    .insn r OP, 0, 0, x0, s0, s0    # add x0, s0, s0
    .insn r OP, 0, 1, x0, s0, s0    # mul x0, s0, s0
    check zero, 0

    lui  s0, 0xfffff
    check s0, 0xfffff000
1:  auipc s0, 0xfffff            # wraps around
    la   s1, 1b
    li   s2, 0x1000
    add  s0, s0, s2
    check_same s0, s1

    la   s0, bytes               # loads extend
    lb   s1, 0(s0)
    check s1, -128
    lbu  s1, 0(s0)
    check s1, 128
    lh   s1, 0(s0)
    check s1, 0xffff8180
    lhu  s1, 0(s0)
    check s1, 0x8180
    lw   s1, 0(s0)
    check s1, 0x83828180

    la   s0, 2f + 1              # jalr clears bit 0 of the target; rd and rs1 may be the same
    jalr s0, 0(s0)
1:  j    3f
2:  check_label s0, 1b
    tail probe_ok
3:  check zero, 1                # not reached

    .section .rodata
    .align 2
bytes:
    .byte 0x80, 0x81, 0x82, 0x83
