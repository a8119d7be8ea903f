# devicetree.s: the device tree whose address comes in a1.
# Purpose: walk it; say every node with its cells: addresses, interrupts, frequencies.
# Source: Devicetree Specification 0.4, chapter 5.  Mode: M.
# Entry points: probe_main.
#
# Registers: s0 the next token, s1 the strings, s2 nodes, s6 depth, s7 the depth of a node that is
# left out with all below it, or 0; s8 name or end, s9 name, s10 value.

    .include "probes/probe.inc"
    .include "fdt.inc"

.equ CELL, 4

# big RD, OFFSET, RS: load a big-endian word; t0 and t1 are clobbered.
.macro big rd, offset, rs
    lw   t0, \offset(\rs)
    call swap
    mv   \rd, t1
.endm

# align REG: up to the next word.
.macro align reg
    addi \reg, \reg, CELL - 1
    andi \reg, \reg, -CELL
.endm

    probe_begin devicetree

    mv   s0, a1
    big  s3, FDT_MAGIC, s0
    show "magic", s3
    big  s3, FDT_VERSION, s0
    show "version", s3
    big  s1, FDT_STRINGS, s0
    add  s1, s1, s0
    big  s3, FDT_STRUCTURE, s0
    add  s0, s0, s3
    li   s2, 0
    li   s6, 0
    li   s7, 0
next:
    big  t2, 0, s0
    addi s0, s0, CELL
    li   t0, FDT_BEGIN_NODE
    beq  t2, t0, begin
    li   t0, FDT_PROP
    beq  t2, t0, property
    li   t0, FDT_END_NODE
    beq  t2, t0, end_node
    li   t0, FDT_NOP
    beq  t2, t0, next
    mv   s3, t2
    show "last token", s3
    show "nodes", s2
    tail probe_ok

begin:
    addi s6, s6, 1
    mv   s8, s0                  # the name
1:  lbu  t0, 0(s0)
    addi s0, s0, 1
    bnez t0, 1b
    align s0
    bnez s7, next
    la   s9, foreign             # devices that only some boards have
2:  lbu  t0, 0(s9)
    beqz t0, 5f
    mv   t1, s8
3:  lbu  t0, 0(s9)
    beqz t0, 6f                  # the name begins like this
    lbu  t2, 0(t1)
    addi s9, s9, 1
    addi t1, t1, 1
    beq  t0, t2, 3b
4:  lbu  t0, 0(s9)               # the next one
    addi s9, s9, 1
    bnez t0, 4b
    j    2b
6:  mv   s7, s6
    j    next
5:  addi s2, s2, 1
    mv   a0, s8
    call print_str
    call print_newline
    j    next

end_node:
    bne  s7, s6, 1f
    li   s7, 0
1:  addi s6, s6, -1
    j    next

property:
    addi s10, s0, -CELL
    big  s8, PROP_LENGTH, s10
    big  s9, PROP_NAME, s10
    add  s9, s9, s1
    addi s0, s10, PROP_VALUE
    mv   s10, s0
    add  s0, s0, s8
    align s0
    bnez s7, next
    la   s3, wanted
1:  lbu  t0, 0(s3)
    beqz t0, next
    mv   a0, s9
    mv   a1, s3
    call same
    bnez a0, 2f
3:  lbu  t0, 0(s3)               # the next one
    addi s3, s3, 1
    bnez t0, 3b
    j    1b
2:  mv   a0, s9
    call print_str
    add  s8, s8, s10             # cells, as long as they are
4:  bgeu s10, s8, 5f
    li   a0, ' '
    call print_char
    big  a0, 0, s10
    call print_hex
    addi s10, s10, CELL
    j    4b
5:  call print_newline
    j    next

# swap: the bytes of a word in the other order.
# In: t0.  Out: t1.  Clobbers: t0, t3.
swap:
    li   t1, 0
    li   t3, CELL
1:  slli t1, t1, 8
    andi a7, t0, 0xff
    or   t1, t1, a7
    srli t0, t0, 8
    addi t3, t3, -1
    bnez t3, 1b
    ret

# same: compare two strings.
# In: a0, a1.  Out: a0 = 1 if they are the same.  Clobbers: t0, t1, a1.
same:
    lbu  t0, 0(a0)
    lbu  t1, 0(a1)
    bne  t0, t1, 1f
    addi a0, a0, 1
    addi a1, a1, 1
    bnez t0, same
    li   a0, 1
    ret
1:  li   a0, 0
    ret

    .section .rodata
wanted:
    .asciz "reg"
    .asciz "interrupts"
    .asciz "ranges"
    .asciz "timebase-frequency"
    .asciz "clock-frequency"
    .asciz "riscv,ndev"
    .asciz "value"
    .byte 0
foreign:
    .asciz "pmu"
    .asciz "fw-cfg"
    .asciz "flash"
    .asciz "platform-bus"
    .asciz "pci"
    .byte 0
