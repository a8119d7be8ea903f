# kernelvec.S: traps from S-mode, and the machine timer in M-mode.
    .section .text
    .globl kernelvec
    .align 4
kernelvec:
    addi sp, sp, -80
    sw   ra, 0(sp)
    sw   t0, 4(sp)
    sw   t1, 8(sp)
    sw   t2, 12(sp)
    sw   a0, 16(sp)
    sw   a1, 20(sp)
    sw   a2, 24(sp)
    sw   a3, 28(sp)
    sw   a4, 32(sp)
    sw   a5, 36(sp)
    sw   a6, 40(sp)
    sw   a7, 44(sp)
    sw   t3, 48(sp)
    sw   t4, 52(sp)
    sw   t5, 56(sp)
    sw   t6, 60(sp)
    call kerneltrap
    lw   ra, 0(sp)
    lw   t0, 4(sp)
    lw   t1, 8(sp)
    lw   t2, 12(sp)
    lw   a0, 16(sp)
    lw   a1, 20(sp)
    lw   a2, 24(sp)
    lw   a3, 28(sp)
    lw   a4, 32(sp)
    lw   a5, 36(sp)
    lw   a6, 40(sp)
    lw   a7, 44(sp)
    lw   t3, 48(sp)
    lw   t4, 52(sp)
    lw   t5, 56(sp)
    lw   t6, 60(sp)
    addi sp, sp, 80
    sret

# The timer belongs to M-mode: set the next deadline, then raise S-mode's software interrupt.
# mscratch points at: four saved registers, the address of mtimecmp, the interval.
    .globl timervec
    .align 4
timervec:
    csrrw a0, mscratch, a0
    sw   a1, 0(a0)
    sw   a2, 4(a0)
    sw   a3, 8(a0)
    sw   a4, 12(a0)
    lw   a1, 16(a0)
    lw   a2, 20(a0)
    lw   a3, 0(a1)
    lw   a4, 4(a1)
    add  a3, a3, a2
    sltu a2, a3, a2
    add  a4, a4, a2
    li   a2, -1
    sw   a2, 0(a1)              # no deadline in the past between the two halves
    sw   a4, 4(a1)
    sw   a3, 0(a1)
    li   a1, 2
    csrs sip, a1
    lw   a4, 12(a0)
    lw   a3, 8(a0)
    lw   a2, 4(a0)
    lw   a1, 0(a0)
    csrrw a0, mscratch, a0
    mret

# M-mode must not take exceptions: end the machine with code 99.
    .globl mpanic
    .align 4
mpanic:
    li   t0, 0x100000
    li   t1, 99 << 16 | 0x3333
    sw   t1, 0(t0)
1:  j    1b
