# print.s: text and numbers on the console.
# Purpose: formatting; the kernel provides console_putc (a0 = byte).  Mode: any.
# Entry points: print_char, print_str, print_dec, print_hex, print_micros, print_bytes_dotted,
# print_newline.

    .include "abi.inc"

.equ HEX_DIGITS, 8
.equ TICKS_PER_MICRO, 10         # one tick of mtime is 100 ns

    .section .text
    .globl print_char
    .globl print_str
    .globl print_dec
    .globl print_hex
    .globl print_micros
    .globl print_bytes_dotted
    .globl print_newline

# print_newline: end the line.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
print_newline:
    li   a0, '\n'

# print_char: one byte.
# In: a0 byte.  Out: none.  Clobbers: t0-t6, a0-a7.
print_char:
    tail console_putc

# print_str: a string that ends with a zero byte.
# In: a0 string.  Out: none.  Clobbers: t0-t6, a0-a7.
print_str:
    prologue 1
    mv   s0, a0
1:  lbu  a0, 0(s0)
    beqz a0, 2f
    addi s0, s0, 1
    call console_putc
    j    1b
2:  epilogue 1

# print_dec: an unsigned number in decimal.
# In: a0 number.  Out: none.  Clobbers: t0-t6, a0-a7.
print_dec:
    prologue 2
    addi sp, sp, -STACK_ALIGN    # the digits, last one first
    mv   s0, sp
    li   t1, 10
1:  remu t0, a0, t1
    addi t0, t0, '0'
    sb   t0, 0(s0)
    addi s0, s0, 1
    divu a0, a0, t1
    bnez a0, 1b
    mv   s1, sp
2:  addi s0, s0, -1
    lbu  a0, 0(s0)
    call console_putc
    bne  s0, s1, 2b
    addi sp, sp, STACK_ALIGN
    epilogue 2

# print_hex: a word as 0x and eight digits.
# In: a0 number.  Out: none.  Clobbers: t0-t6, a0-a7.
print_hex:
    prologue 2
    mv   s0, a0
    li   a0, '0'
    call console_putc
    li   a0, 'x'
    call console_putc
    li   s1, HEX_DIGITS
1:  srli t0, s0, 28
    slli s0, s0, 4
    la   t1, digits
    add  t1, t1, t0
    lbu  a0, 0(t1)
    call console_putc
    addi s1, s1, -1
    bnez s1, 1b
    epilogue 2

# print_micros: a number of mtime ticks as microseconds with one decimal place.
# In: a0 ticks.  Out: none.  Clobbers: t0-t6, a0-a7.
print_micros:
    prologue 1
    mv   s0, a0
    li   t0, TICKS_PER_MICRO
    divu a0, a0, t0
    call print_dec
    li   a0, '.'
    call console_putc
    li   t0, TICKS_PER_MICRO
    remu a0, s0, t0
    addi a0, a0, '0'
    call console_putc
    epilogue 1

# print_bytes_dotted: bytes in decimal with dots between, as IPv4 addresses are written.
# In: a0 address, a1 number of bytes (at least 1).  Out: none.  Clobbers: t0-t6, a0-a7.
print_bytes_dotted:
    prologue 2
    mv   s0, a0
    add  s1, a0, a1
1:  lbu  a0, 0(s0)
    call print_dec
    addi s0, s0, 1
    beq  s0, s1, 2f
    li   a0, '.'
    call console_putc
    j    1b
2:  epilogue 2

    .section .rodata
digits:
    .ascii "0123456789abcdef"
