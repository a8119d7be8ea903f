# smp.s: several harts.
# Purpose: four harts start, count under a lock and with reservations, interrupt each other, see
# each other's stores as data and as code.
# Source: Unprivileged ISA, chapter 8 (A); Privileged, 3.1.5 (mhartid), 3.1.9.  Mode: M, at RAM_BASE.
# Entry points: _start, probe_name.

    .include "probes/probe.inc"
    .include "clint.inc"

.equ HARTS, 4
.equ HART_MASK, (1 << HARTS) - 1
.equ ROUNDS, 500                 # increments of each hart
.equ STACK_SHIFT, 10             # a KiB each
.equ MSIP_SHIFT, 2
.equ INSN_LI_A0, 0x00000513      # li a0, 0; the number is in bits 31:20
.equ INSN_IMMEDIATE, 20

# barrier: all harts come here before any goes on; s11 counts what must have come.
.macro barrier
    la   t0, arrived
    li   t1, 1
    fence
    amoadd.w.aqrl zero, t1, (t0)
    addi s11, s11, HARTS
9:  lw   t1, 0(t0)
    blt  t1, s11, 9b
    fence
.endm

    .section .text
    .globl _start
    .globl probe_name
_start:
    csrw mie, zero
    csrr s0, mhartid
    mv   s1, a0
    li   t0, HARTS
    bgeu s0, t0, probe_park
    la   sp, stack_top
    slli t0, s0, STACK_SHIFT
    sub  sp, sp, t0
    la   t0, probe_trapped
    csrw mtvec, t0
    csrw mscratch, s0
    li   s11, 0

    li   t1, 1                   # who is here, and did a0 say so?
    sll  t1, t1, s0
    la   t0, present
    amoor.w zero, t1, (t0)
    bne  s0, s1, 1f
    la   t0, told
    amoor.w zero, t1, (t0)
1:  barrier

    li   s2, ROUNDS              # a counter behind a lock
    la   s3, lock
    la   s4, locked
2:  li   t0, 1
3:  amoswap.w.aq t1, t0, (s3)
    bnez t1, 3b
    lw   t1, 0(s4)
    addi t1, t1, 1
    sw   t1, 0(s4)
    amoswap.w.rl zero, zero, (s3)
    addi s2, s2, -1
    bnez s2, 2b

    li   s2, ROUNDS              # one with reservations
    la   s3, reserved
4:  lr.w.aq t0, (s3)
    addi t0, t0, 1
    sc.w.rl t1, t0, (s3)
    bnez t1, 4b
    addi s2, s2, -1
    bnez s2, 4b

    li   s2, ROUNDS              # and one that adds by itself
    la   s3, added
    li   t0, 1
5:  amoadd.w zero, t0, (s3)
    addi s2, s2, -1
    bnez s2, 5b
    barrier

    csrr t0, mscratch            # a hart's registers are its own
    bne  t0, s0, 6f
    li   t1, 1
    sll  t1, t1, s0
    la   t0, own
    amoor.w zero, t1, (t0)
6:  barrier

    slli s5, s0, MSIP_SHIFT      # its software interrupt
    li   t0, CLINT_BASE + CLINT_MSIP
    add  s5, s5, t0
    bnez s0, others

# ---- hart 0: wake the others in turn, then give them new code
    li   s2, 1
7:  slli t0, s2, MSIP_SHIFT
    li   t1, CLINT_BASE + CLINT_MSIP
    add  t0, t0, t1
    li   t1, 1
    sw   t1, 0(t0)
    la   t0, awake
8:  lw   t1, 0(t0)               # in this order: nobody else may have woken up
    blt  t1, s2, 8b
    addi s2, s2, 1
    li   t0, HARTS
    blt  s2, t0, 7b
    barrier                      # they have run the old code
    li   t0, INSN_LI_A0 | 2 << INSN_IMMEDIATE
    store_word t0, code, t1
    fence
    barrier
    barrier                      # and the new one

    load_word s1, present
    check s1, HART_MASK
    load_word s1, told
    check s1, HART_MASK
    load_word s1, locked
    check s1, HARTS * ROUNDS
    load_word s1, reserved
    check s1, HARTS * ROUNDS
    load_word s1, added
    check s1, HARTS * ROUNDS
    load_word s1, own
    check s1, HART_MASK
    load_word s1, awake
    check s1, HARTS-1
    load_word s1, old_code
    check s1, HARTS-1
    load_word s1, new_code
    check s1, 2 * (HARTS-1)
    load_word s1, late           # nobody saw a time before one that was written down
    check s1, 0
    tail probe_ok

# ---- harts 1 to 3
others:
    li   t0, MIP_MSIP
    csrw mie, t0
1:  wfi
    csrr t0, mip
    andi t0, t0, MIP_MSIP
    beqz t0, 1b
    sw   zero, 0(s5)
    la   t0, moment              # the clock of all harts is one
    lw   t1, 0(t0)
    csrr t2, time
    sub  t1, t2, t1
    sw   t2, 0(t0)
    bgez t1, 2f
    la   t0, late
    li   t1, 1
    sw   t1, 0(t0)
2:  la   t0, awake
    li   t1, 1
    amoadd.w zero, t1, (t0)
    call code
    la   t0, old_code
    amoadd.w zero, a0, (t0)
    barrier
    barrier                      # hart 0 has written
    fence.i
    call code
    la   t0, new_code
    amoadd.w zero, a0, (t0)
    barrier
    tail probe_park

    .section .rodata
probe_name:
    .asciz "smp"

    .section .data
    .align 2
code:
    li   a0, 1
    ret

    .section .bss
    .align 4
    .space HARTS << STACK_SHIFT
stack_top:
arrived: .space WORD
lock: .space WORD
present: .space WORD
told: .space WORD
locked: .space WORD
reserved: .space WORD
added: .space WORD
own: .space WORD
awake: .space WORD
old_code: .space WORD
new_code: .space WORD
moment: .space WORD
late: .space WORD
