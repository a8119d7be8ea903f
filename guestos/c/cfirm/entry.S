# entry.S: every hart starts here in M-mode; a0 hart, a1 device tree. Traps of the kernel above.
    .section .text.entry, "ax"
    .globl _start
_start:
    csrr t0, mhartid
    li   t1, 8
    bgeu t0, t1, 2f
    la   sp, stacks
    slli t1, t0, 12
    add  sp, sp, t1
    li   t1, 4096
    add  sp, sp, t1
    csrw mscratch, sp
    la   t1, m_vector
    csrw mtvec, t1
    mv   a0, t0
    call firmware
2:  wfi
    j    2b

# Into S-mode: a0 hart, a1 opaque, a2 where. The hart's stack is empty again.
    .globl enter_supervisor
enter_supervisor:
    csrw mepc, a2
    li   t0, 3 << 11
    csrc mstatus, t0
    li   t0, 1 << 11
    csrs mstatus, t0
    csrw satp, zero
    csrci sstatus, 2
    csrr t0, mhartid
    la   sp, stacks
    addi t0, t0, 1
    slli t0, t0, 12
    add  sp, sp, t0
    csrw mscratch, sp
    mret

    .section .text
    .align 4
m_vector:
    csrrw sp, mscratch, sp
    addi sp, sp, -128
    sw   ra, 4(sp)
    sw   gp, 12(sp)
    sw   tp, 16(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sw   x\n, 4*\n(sp)
    .endr
    csrr t0, mscratch
    sw   t0, 8(sp)
    addi t0, sp, 128            # a trap in the firmware would begin here again: it never comes
    csrw mscratch, t0
    mv   a0, sp
    call m_trap
    lw   t0, 8(sp)
    lw   ra, 4(sp)
    lw   gp, 12(sp)
    lw   tp, 16(sp)
    addi t1, sp, 128
    csrw mscratch, t1
    .irp n, 6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    lw   x\n, 4*\n(sp)
    .endr
    # x5 and x2 last
    lw   t0, 20(sp)
    lw   sp, 8(sp)
    mret

    .section .bss
    .align 12
    .globl stacks
stacks:
    .space 8 * 4096
