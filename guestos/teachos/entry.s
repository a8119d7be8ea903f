# entry.s: the kernel's start.
# Purpose: bring up memory, traps, devices and processes in that order, then run the processes.
# Mode: S, at SBI_KERNEL_BASE, started by the SBI firmware.  The kernel's addresses are the same
# with and without paging.  .bss is zero: whoever loads an ELF file sees to that.
# Entry points: _start; kernel_stack_top and the sections' first bytes.  First of the sources.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "net.inc"
    .include "teachos/teachos.inc"

    .section .text
    .align PAGE_SHIFT
    .globl _start
    .globl kernel_stack_top
    .globl text_start
    .globl rodata_start
    .globl data_start
    .globl bss_start

text_start:
_start:
    la   sp, kernel_stack_top
    csrw sie, zero
    csrw sscratch, zero          # 0: in the kernel
    la   t0, trap_entry
    csrw stvec, t0
    la   a0, text_hello
    call print_str

    call pv_init
    call pages_init
    call vm_init
    la   a0, text_paging
    call print_str
    csrr a0, satp
    call print_hex
    call print_newline

    call devices_init
    call disk_boot

    la   a0, ping_start
    la   a1, ping_end
    la   a2, name_ping
    call proc_create
    la   a0, count_start
    la   a1, count_end
    la   a2, name_count
    call proc_create
    call timer_start
    tail sched_next

    .section .rodata
    .align PAGE_SHIFT
rodata_start:
text_hello:
    .asciz "teachos: S-mode kernel\n"
text_paging:
    .asciz "teachos: Sv32 on, satp "
name_ping:
    .asciz "ping"
name_count:
    .asciz "count"

    .section .data
    .align PAGE_SHIFT
data_start:
    .word 0

    .section .bss
    .align PAGE_SHIFT
bss_start:
    .space KERNEL_STACK_BYTES
kernel_stack_top:
