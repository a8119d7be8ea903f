# space.s: address spaces of processes.
# Purpose: make, fill and take down a space; find a user's byte.
# Mode: S.
# Entry points: space_new, space_add, space_free, space_physical.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

    .section .text
    .globl space_new
    .globl space_add
    .globl space_free
    .globl space_physical

# space_new: a space with the kernel in it and no user memory.
# In: none.  Out: a0 root table.  Clobbers: t0-t3, a1, a2.
space_new:
    prologue 1
    call page_alloc
    beqz a0, out_of_pages
    mv   s0, a0
    load_word a1, kernel_root    # the second-level tables are shared
    li   a2, PAGE_SIZE
    call mem_copy
    mv   a0, s0
    epilogue 1

# space_add: one fresh page of user memory.
# In: a0 root, a1 virtual address, a2 flags.  Out: a0 physical address.
# Clobbers: t0-t6, a1-a7.
space_add:
    prologue 4
    mv   s0, a0
    mv   s1, a1
    mv   s2, a2
    call page_alloc
    beqz a0, out_of_pages
    mv   s3, a0
    mv   a0, s0
    mv   a1, s1
    mv   a2, s3
    li   a3, PAGE_SIZE
    mv   a4, s2
    call vm_map
    mv   a0, s3
    epilogue 4

out_of_pages:
    la   a0, text_no_page
    tail panic

# space_free: give back all user pages, their table and the root.  It must not be in use.
# In: a0 root.  Out: none.  Clobbers: t0-t3, a0, a1.
space_free:
    prologue 3
    mv   s0, a0
    lw   t0, 0(s0)               # all user memory is below the first root entry
    andi t1, t0, PTE_V
    beqz t1, 3f
    srli t0, t0, PTE_PPN_SHIFT
    slli s1, t0, PAGE_SHIFT
    li   t0, PAGE_SIZE
    add  s2, s1, t0
1:  lw   t0, 0(s1)
    andi t1, t0, PTE_V
    beqz t1, 2f
    srli t0, t0, PTE_PPN_SHIFT
    slli a0, t0, PAGE_SHIFT
    call page_free
2:  addi s1, s1, WORD
    bne  s1, s2, 1b
    li   t0, PAGE_SIZE
    sub  a0, s1, t0
    call page_free
3:  mv   a0, s0
    call page_free
    li   t0, 1
    store_word t0, vm_stale, t1
    epilogue 3

# space_physical: where a readable byte of a program really is.
# In: a0 root, a1 virtual address.  Out: a0 physical address, or 0.  Clobbers: t0-t3, a1, a2.
space_physical:
    prologue 1
    mv   s0, a1
    li   t0, USER_END
    bgeu a1, t0, 1f
    li   a2, 0
    call vm_entry
    beqz a0, 1f
    lw   t0, 0(a0)
    andi t1, t0, PTE_V | PTE_R | PTE_U
    li   t2, PTE_V | PTE_R | PTE_U
    bne  t1, t2, 1f
    srli t0, t0, PTE_PPN_SHIFT
    slli t0, t0, PAGE_SHIFT
    li   t1, PAGE_SIZE - 1
    and  a0, s0, t1
    or   a0, a0, t0
    epilogue 1
1:  li   a0, 0
    epilogue 1

    .section .rodata
text_no_page:
    .asciz "out of pages for a process"
