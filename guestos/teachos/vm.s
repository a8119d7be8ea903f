# vm.s: Sv32 page tables.
# Purpose: map addresses; the kernel's own map.
# Mode: S.
# Entry points: vm_init, vm_map, vm_entry, vm_use; kernel_root, vm_stale.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "pv.inc"
    .include "teachos/teachos.inc"

.equ INDEX_MASK, (PAGE_SIZE / WORD) - 1  # 1024 entries in a table
.equ WORD_SHIFT, 2
.equ PPN_TO_PTE, PAGE_SHIFT - PTE_PPN_SHIFT

# Kernel pages are global: the same in every address space.  A and D are set from the start,
# for harts that do not set them.
.equ KERNEL_CODE, PTE_V | PTE_R | PTE_X | PTE_G | PTE_A
.equ KERNEL_RODATA, PTE_V | PTE_R | PTE_G | PTE_A
.equ KERNEL_DATA, PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D

    .section .text
    .globl vm_init
    .globl vm_map
    .globl vm_entry
    .globl vm_use
    .globl kernel_root
    .globl vm_stale

# map_section FROM, TO, FLAGS: map kernel memory at its own addresses.
.macro map_section from, to, flags
    load_word a0, kernel_root
    la   a1, \from
    mv   a2, a1
    la   a3, \to
    sub  a3, a3, a1
    li   a4, \flags
    call vm_map
.endm

# vm_init: build the kernel's map and switch paging on.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
vm_init:
    prologue 0
    call page_alloc
    store_word a0, kernel_root, t0
    map_section text_start, text_end, KERNEL_CODE
    map_section rodata_start, rodata_end, KERNEL_RODATA
    map_section data_start, data_end, KERNEL_DATA
    map_section bss_start, bss_end, KERNEL_DATA

    load_word a0, kernel_root
    li   a1, VIRTIO_BASE
    mv   a2, a1
    li   a3, VIRTIO_SLOTS * VIRTIO_STRIDE
    li   a4, KERNEL_DATA
    call vm_map
    load_word a0, kernel_root    # the PLIC: two megapages, leaves in the root itself
    li   t1, PLIC_BASE
    srli t0, t1, MEGAPAGE_SHIFT
    slli t0, t0, WORD_SHIFT
    add  a0, a0, t0
    srli t1, t1, PPN_TO_PTE
    ori  t1, t1, KERNEL_DATA
    sw   t1, 0(a0)
    li   t2, MEGAPAGE_SIZE >> PPN_TO_PTE
    add  t1, t1, t2
    sw   t1, WORD(a0)
    load_word a0, kernel_root
    call vm_use
    epilogue 0

# vm_use: translate by another root from now on.
# A hypervisor that keeps roots apart needs no fence, unless a table's page has been freed.
# In: a0 root table.  Out: none.  Clobbers: t0, t1.
vm_use:
    srli t0, a0, PAGE_SHIFT
    li   t1, SATP_MODE
    or   t0, t0, t1
    csrw satp, t0
    load_word t0, pv_features
    andi t0, t0, PV_CAN_ROOTS
    beqz t0, 1f
    load_word t0, vm_stale
    beqz t0, 2f
1:  sfence.vma
    store_word zero, vm_stale, t0
2:  ret

# vm_map: map whole pages.
# In: a0 root, a1 virtual, a2 physical address (page-aligned), a3 bytes (rounded up), a4 flags.
# Out: none; out of pages, or writable and executable at once: panic.  Clobbers: t0-t6, a0-a7.
vm_map:
    prologue 5
    mv   s0, a0
    mv   s1, a1
    mv   s2, a2
    add  s3, a1, a3              # end
    mv   s4, a4
    andi t0, a4, PTE_W | PTE_X
    li   t1, PTE_W | PTE_X
    beq  t0, t1, 3f
    j    2f
1:  mv   a0, s0
    mv   a1, s1
    li   a2, 1
    call vm_entry
    beqz a0, 4f
    srli a1, s2, PPN_TO_PTE
    or   a1, a1, s4
    call pv_store
    li   t0, PAGE_SIZE
    add  s1, s1, t0
    add  s2, s2, t0
2:  bltu s1, s3, 1b
    call pv_flush
    epilogue 5
3:  la   a0, text_writable_code
    tail panic
4:  la   a0, text_no_page
    tail panic

# vm_entry: the page-table entry of a page.
# In: a0 root, a1 virtual address, a2 not 0: make the second table if it is missing.
# Out: a0 address of the entry, or 0.  Clobbers: t0-t3, a1.
vm_entry:
    prologue 2
    mv   s1, a1
    srli t0, a1, MEGAPAGE_SHIFT
    slli t0, t0, WORD_SHIFT
    add  s0, a0, t0
    lw   t0, 0(s0)
    andi t1, t0, PTE_V
    bnez t1, 1f
    mv   a0, zero
    beqz a2, 2f
    call page_alloc
    beqz a0, 2f
    srli t0, a0, PPN_TO_PTE
    ori  t0, t0, PTE_V           # no R, W or X: it points to a table
    sw   t0, 0(s0)
1:  srli t0, t0, PTE_PPN_SHIFT
    slli t0, t0, PAGE_SHIFT
    srli t1, s1, PAGE_SHIFT
    andi t1, t1, INDEX_MASK
    slli t1, t1, WORD_SHIFT
    add  a0, t0, t1
2:  epilogue 2

    .section .rodata
text_writable_code:
    .asciz "a page would be writable and executable"
text_no_page:
    .asciz "out of pages"

    .section .bss
    .align 2
kernel_root:
    .space WORD
vm_stale:                        # not 0: tables have been freed since the last fence
    .space WORD
