# How a measured program starts and ends, in one file for every machine that runs it.
#
# The word `work_mode` says how; the benchmark writes it into the ELF file:
#   0  M-mode, no translation        (toyvm, QEMU's virt board, Spike)
#   1  S-mode with Sv32, 4 KiB pages (the same)
#   2  a Linux program: the end is exit(2)   (qemu-riscv32, Unicorn)
# Entry: _start, in M-mode at 0x80000000, or in U-mode under Linux.
# In modes 0 and 1 the end is HTIF's tohost, then the test finisher of the virt board.

        .equ MODE_BARE, 0
        .equ MODE_PAGED, 1
        .equ MODE_LINUX, 2

        .equ FINISHER, 0x100000
        .equ FINISHER_PASS, 0x5555
        .equ FINISHER_FAIL, 0x13333
        .equ HTIF_PASS, 1
        .equ HTIF_FAIL, 3
        .equ LINUX_EXIT, 93

        .equ PAGE_SHIFT, 12
        .equ PTE_PPN_SHIFT, 10
        .equ PTES, 1024                   # entries of a table
        .equ PTE_SIZE, 4
        .equ PTE_V, 1
        .equ PTE_LEAF, 0xcf               # V R W X A D
        .equ RAM_VPN1, 0x80000000 >> 22
        .equ MEGAPAGES, 4                 # 16 MiB of RAM are mapped
        .equ SATP_SV32, 1 << 31
        .equ PMP_NAPOT_RWX, 0x1f
        .equ MSTATUS_MPP_S, 1 << 11
        .equ MSTATUS_MPP_M, 3 << 11

        .section .text.start, "ax"
        .globl _start
_start: lw      s0, work_mode
        la      sp, stack_top
        li      t0, MODE_LINUX
        beq     s0, t0, enter
        la      t0, trapped
        csrw    mtvec, t0
        li      t0, MODE_PAGED
        bne     s0, t0, enter
        call    map
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, PMP_NAPOT_RWX
        csrw    pmpcfg0, t0
        la      t0, tables
        srli    t0, t0, PAGE_SHIFT
        li      t1, SATP_SV32
        or      t0, t0, t1
        csrw    satp, t0
        sfence.vma
        li      t0, MSTATUS_MPP_M
        csrc    mstatus, t0
        li      t0, MSTATUS_MPP_S
        csrs    mstatus, t0
        la      t0, enter
        csrw    mepc, t0
        mret

# enter: run main and end with what it returns.  In: s0 = the mode.
enter:  call    main
        li      t0, MODE_LINUX
        bne     s0, t0, 1f
        li      a7, LINUX_EXIT
        .globl  linux_exit
linux_exit:
        ecall
1:      li      t0, HTIF_PASS
        li      t1, FINISHER_PASS
        beqz    a0, 2f
        li      t0, HTIF_FAIL
        li      t1, FINISHER_FAIL
2:      la      t2, tohost
        sw      t0, 0(t2)
        sw      zero, 4(t2)
        li      t2, FINISHER
        sw      t1, 0(t2)
3:      j       3b

# map: tables that map the RAM and the finisher's megapage onto themselves.
# out: -; clobbers t0-t4.
map:    la      t0, tables
        # Root: the first megapage for the finisher, then one table for each of the RAM's.
        li      t1, PTE_LEAF
        sw      t1, 0(t0)
        li      t1, PTES * PTE_SIZE
        add     t2, t0, t1                # the first table
        srli    t3, t2, PAGE_SHIFT
        slli    t3, t3, PTE_PPN_SHIFT
        ori     t3, t3, PTE_V
        li      t4, RAM_VPN1 * PTE_SIZE
        add     t4, t4, t0
        li      t0, MEGAPAGES
1:      sw      t3, 0(t4)
        addi    t4, t4, PTE_SIZE
        addi    t3, t3, 1 << PTE_PPN_SHIFT
        addi    t0, t0, -1
        bnez    t0, 1b
        # Leaves, in one go: the tables lie one behind the other.
        la      t3, _start
        srli    t3, t3, PAGE_SHIFT
        slli    t3, t3, PTE_PPN_SHIFT
        ori     t3, t3, PTE_LEAF
        li      t0, MEGAPAGES * PTES
2:      sw      t3, 0(t2)
        addi    t2, t2, PTE_SIZE
        addi    t3, t3, 1 << PTE_PPN_SHIFT
        addi    t0, t0, -1
        bnez    t0, 2b
        ret

# Nothing traps, but for Spike, which has no finisher: it stops after the store to tohost.
        .balign 4
trapped:
        j       trapped

        .section .data.control, "aw"
        .globl  work_mode
work_mode:
        .word   MODE_BARE

# Alone in its page: a watched page is slow to reach.
        .section .tohost, "aw"
        .balign 4096
        .globl  tohost
tohost: .word   0, 0
        .globl  fromhost
fromhost:
        .word   0, 0
        .balign 4096

        .bss
        .balign 4096
tables: .space  (1 + MEGAPAGES) * PTES * PTE_SIZE
stack:  .space  16384
stack_top:
