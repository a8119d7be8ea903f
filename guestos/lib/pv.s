# pv.s: calls to the hypervisor, where there is one that answers.
# Purpose: fewer exits for a kernel that knows that it is a guest.  Mode: S.
# Entry points: pv_init, pv_store, pv_flush, pv_window; pv_features.
#
# Without the extension pv_features is 0, entries are stored at once and nothing is called.

    .include "abi.inc"
    .include "frame.inc"
    .include "csr.inc"
    .include "sbi.inc"
    .include "pv.inc"

.equ BATCH, 64                           # entries of one update

    .section .text
    .globl pv_init
    .globl pv_store
    .globl pv_flush
    .globl pv_window
    .globl pv_features

# pv_init: look for the hypervisor, take from it what it offers: sret without an exit, and the
# interrupt flag in memory.
# In: none.  Out: none.  Clobbers: t0, a0, a1, a6, a7.
pv_init:
    prologue 0
    li   a0, PV_EXT
    call sbi_probe
    beqz a0, 1f
    li   a7, PV_EXT
    li   a6, PV_FEATURES
    ecall
    store_word a1, pv_features, t0
    li   a0, 1
    li   a6, PV_RETURNS
    andi t0, a1, PV_CAN_RETURN
    bnez t0, 2f
    la   a0, flag
    li   a6, PV_SET_FLAG
    andi t0, a1, PV_CAN_FLAG
    beqz t0, 1f
2:  ecall
1:  epilogue 0

# pv_store: write a page-table entry, now or with the next pv_flush.
# In: a0 its address, a1 value.  Out: none.  Clobbers: t0-t2, a0, a1, a6, a7.
pv_store:
    load_word t0, pv_features
    andi t0, t0, PV_CAN_UPDATE
    bnez t0, 1f
    sw   a1, 0(a0)
    ret
1:  load_word t1, waiting
    slli t2, t1, 3               # PV_PAIR_BYTES
    la   t0, pairs
    add  t2, t2, t0
    sw   a0, PV_PAIR_AT(t2)
    sw   a1, PV_PAIR_VALUE(t2)
    addi t1, t1, 1
    store_word t1, waiting, t0
    li   t0, BATCH
    beq  t1, t0, pv_flush
    ret

# pv_flush: have all waiting entries written.
# In: none.  Out: none.  Clobbers: t0, a0, a1, a6, a7.
pv_flush:
    load_word a1, waiting
    beqz a1, 1f
    la   a0, pairs
    li   a7, PV_EXT
    li   a6, PV_UPDATE
    ecall
    store_word zero, waiting, t0
1:  ret

# pv_window: take the interrupts that wait, and no more.
# In: none, in S-mode with SIE = 0.  Out: the same.  Clobbers: t0, t1, a0, a1, a6, a7.
pv_window:
    load_word t0, pv_features
    andi t0, t0, PV_CAN_FLAG
    bnez t0, 1f
    csrsi sstatus, MSTATUS_SIE
    csrci sstatus, MSTATUS_SIE
    ret
1:  la   t0, flag
    li   t1, 1
    sw   t1, PV_FLAG_ENABLED(t0)
    lw   t1, PV_FLAG_PENDING(t0)
    beqz t1, 2f
    li   a7, PV_EXT              # any exit delivers it
    li   a6, PV_YIELD
    ecall
2:  la   t0, flag
    sw   zero, PV_FLAG_ENABLED(t0)
    ret

    .section .bss
    .align 3
flag:                            # see PV_SET_FLAG
    .space PV_FLAG_BYTES
pairs:
    .space BATCH * PV_PAIR_BYTES
waiting:
    .space WORD
pv_features:
    .space WORD
