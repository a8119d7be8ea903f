# pages.s: physical pages.
# Purpose: hand out and take back pages for page tables and processes.
# Mode: S.
# Entry points: pages_init, page_alloc, page_free; pages_left.

    .include "platform.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

    .section .text
    .globl pages_init
    .globl page_alloc
    .globl page_free
    .globl pages_left

# pages_init: all pages of the pool are free.
# In: none.  Out: none.  Clobbers: t0, t1, s-registers none, a0.
pages_init:
    prologue 2
    la   s0, pool
    li   s1, POOL_PAGES
1:  mv   a0, s0
    call page_free
    li   t0, PAGE_SIZE
    add  s0, s0, t0
    addi s1, s1, -1
    bnez s1, 1b
    epilogue 2

# page_alloc: a page full of zeros.
# In: none.  Out: a0 address, 0 if there is none left.  Clobbers: t0, t1.
page_alloc:
    la   t0, free_list
    lw   a0, 0(t0)
    beqz a0, 2f
    lw   t1, 0(a0)               # the next free page
    sw   t1, 0(t0)
    add_word -1, pages_left, t0, t1
    li   t1, PAGE_SIZE
    add  t1, t1, a0
    mv   t0, a0
1:  sw   zero, 0(t0)
    addi t0, t0, WORD
    bne  t0, t1, 1b
2:  ret

# page_free: take a page back.
# In: a0 address.  Out: none.  Clobbers: t0, t1.
page_free:
    la   t0, free_list
    lw   t1, 0(t0)
    sw   t1, 0(a0)
    sw   a0, 0(t0)
    add_word 1, pages_left, t0, t1
    ret

    .section .bss
    .align PAGE_SHIFT
pool:
    .space POOL_PAGES * PAGE_SIZE
free_list:                       # each free page begins with the address of the next
    .space WORD
pages_left:
    .space WORD
