# devices.s: the kernel's devices and their interrupts.
# Purpose: find disk and card, enable and serve their interrupts, wait for one.
# Mode: S.
# Entry points: devices_init, devices_interrupt, io_wait.

    .include "csr.inc"
    .include "abi.inc"
    .include "plic.inc"

    .section .text
    .globl devices_init
    .globl devices_interrupt
    .globl io_wait

# devices_init: disk and card, as far as they are there.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
devices_init:
    prologue 0
    li   t0, MIP_SEIP
    csrs sie, t0
    call blk_init
    beqz a0, 1f
    load_word a0, blk_irq
    li   a1, PLIC_HART0_S
    call plic_enable
1:  call nic_init
    beqz a0, 2f
    load_word a0, nic_irq
    li   a1, PLIC_HART0_S
    call plic_enable
2:  epilogue 0

# devices_interrupt: serve every device that the PLIC names.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
devices_interrupt:
    prologue 1
1:  li   a0, PLIC_HART0_S
    call plic_claim
    beqz a0, 4f
    mv   s0, a0
    load_word t0, blk_irq
    bne  s0, t0, 2f
    load_word a0, blk_base       # who waits looks at the queue itself
    call virtio_ack
    j    3f
2:  load_word t0, nic_irq
    bne  s0, t0, 3f
    load_word a0, nic_base
    call virtio_ack
    call net_receive
3:  mv   a0, s0
    li   a1, PLIC_HART0_S
    call plic_complete
    j    1b
4:  epilogue 1

# io_wait: sleep until an interrupt, and take it.  One that came just before ends wfi at once.
# In: none.  Out: none.  Clobbers: t0, t1, a0, a1, a6, a7, and what interrupts change in memory.
io_wait:
    wfi
    tail pv_window
