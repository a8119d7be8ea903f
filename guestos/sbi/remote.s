# remote.s: what harts ask of each other: software interrupts and fences.
# Purpose: IPI, RFENCE, and the interrupt by which a request arrives.
# Mode: M.
# Entry points: ipi_call, fence_call, remote_mask, remote_send, remote_interrupt, remote_silence.
#
# A request is a bit in the other hart's record and its msip.  Who waits for a fence serves
# requests to itself meanwhile, so that two harts that fence each other both get on.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "clint.inc"
    .include "frame.inc"
    .include "sbi.inc"
    .include "sbi/firmware.inc"

.equ MSIP_SHIFT, 2               # bytes of a msip, as a shift

    .section .text
    .globl ipi_call
    .globl fence_call
    .globl remote_mask
    .globl remote_send
    .globl remote_interrupt
    .globl remote_silence

# ipi_call: one function of IPI.
# In: a0 trap frame (its a0, a1: harts).  Out: a0 error, a1 value.  Clobbers: t0-t6, a2.
ipi_call:
    lw   t0, FRAME_A6(a0)
    bnez t0, not_supported       # SBI_IPI_SEND is the only one
    prologue 0
    lw   a1, FRAME_A1(a0)
    lw   a0, FRAME_A0(a0)
    call remote_mask
    bltz a0, invalid
    li   a1, REQUEST_INTERRUPT
    call remote_send
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 0

# fence_call: one function of RFENCE.  Whatever is asked, everything is fenced.
# In: a0 trap frame (its a0, a1: harts).  Out: a0 error, a1 value.  Clobbers: t0-t6, a2.
fence_call:
    lw   t0, FRAME_A6(a0)
    li   t1, SBI_RFENCE_SFENCE_VMA_ASID
    bgtu t0, t1, not_supported   # those for guests of a hypervisor
    prologue 0
    lw   a1, FRAME_A1(a0)
    lw   a0, FRAME_A0(a0)
    call remote_mask
    bltz a0, invalid
    li   a1, REQUEST_FENCE
    call remote_send
    li   a0, SBI_SUCCESS
    li   a1, 0
    epilogue 0

invalid:
    li   a0, SBI_ERR_INVALID_PARAM
    li   a1, 0
    epilogue 0

not_supported:
    li   a0, SBI_ERR_NOT_SUPPORTED
    li   a1, 0
    ret

# remote_mask: the harts that a mask and its base name.
# In: a0 mask, a1 base (-1: all).  Out: a0 one bit a hart, -1 if one of them is not there.
# Clobbers: t0, t1.
remote_mask:
    load_word t0, hart_total
    li   t1, SBI_ALL_HARTS
    bne  a1, t1, 1f
    li   a0, 1
    sll  a0, a0, t0
    addi a0, a0, -1
    ret
1:  bgeu a1, t0, 2f
    sub  t0, t0, a1
    srl  t1, a0, t0
    bnez t1, 2f
    sll  a0, a0, a1
    ret
2:  li   a0, -1
    ret

# remote_send: ask harts for something, and wait until fences are done.
# In: a0 one bit a hart, a1 REQUEST_.  Out: none.  Clobbers: t0-t6, a0-a2.
remote_send:
    prologue 3
    mv   s0, a0
    mv   s1, a1
    mv   s2, a0
    li   a2, 0                   # the hart
1:  beqz s0, 3f
    andi t0, s0, 1
    srli s0, s0, 1
    beqz t0, 2f
    mv   a0, a2
    call hart_record
    lw   t0, HART_STATE(a0)
    li   t1, SBI_HSM_STOPPED
    beq  t0, t1, 2f              # it does not run: nothing to interrupt or to fence
    addi a0, a0, HART_REQUESTS
    amoor.w zero, s1, (a0)
    fence
    slli t0, a2, MSIP_SHIFT
    li   t1, CLINT_BASE + CLINT_MSIP
    add  t0, t0, t1
    li   t1, 1
    sw   t1, 0(t0)
2:  addi a2, a2, 1
    j    1b
3:  andi t0, s1, REQUEST_FENCE
    beqz t0, 6f
    li   a2, 0
4:  srl  t0, s2, a2              # wait for hart a2
    beqz t0, 6f
    andi t0, t0, 1
    beqz t0, 5f
    call remote_serve            # it may be ourselves, or wait for us
    mv   a0, a2
    call hart_record
    lw   t0, HART_STATE(a0)
    li   t1, SBI_HSM_STOPPED
    beq  t0, t1, 5f
    lw   t0, HART_REQUESTS(a0)
    andi t0, t0, REQUEST_FENCE
    bnez t0, 4b
5:  addi a2, a2, 1
    j    4b
6:  epilogue 3

# remote_interrupt: another hart has asked for something.
# In: none.  Out: none.  Clobbers: t0-t2, a0.
remote_interrupt:
    prologue 0
    call remote_silence
    call remote_serve
    epilogue 0

# remote_serve: do what others have asked of this hart.
# In: none.  Out: none.  Clobbers: t0-t2, a0.
remote_serve:
    prologue 0
    call hart_own
    addi a0, a0, HART_REQUESTS
    lw   t1, 0(a0)
    andi t2, t1, REQUEST_INTERRUPT
    beqz t2, 1f
    li   t2, ~REQUEST_INTERRUPT
    amoand.w zero, t2, (a0)
    csrsi mip, MIP_SSIP
1:  andi t2, t1, REQUEST_FENCE
    beqz t2, 2f
    fence.i
    sfence.vma
    li   t2, ~REQUEST_FENCE
    amoand.w zero, t2, (a0)
2:  epilogue 0

# remote_silence: the software interrupt of this hart has been heard.
# In: none.  Out: none.  Clobbers: t0, t1.
remote_silence:
    csrr t0, mhartid
    slli t0, t0, MSIP_SHIFT
    li   t1, CLINT_BASE + CLINT_MSIP
    add  t0, t0, t1
    sw   zero, 0(t0)
    ret
