# entry.s: the appliance's start.
# Purpose: find disk and network card, then serve until told good night or forgotten.
# Mode: M, without paging, at RAM_BASE.
# Entry points: _start, my_ip.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "net.inc"
    .include "plic.inc"
    .include "appliance/appliance.inc"

    .section .text
    .globl _start
    .globl my_ip

_start:
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, park                # one hart is enough
    la   sp, stack_top
    la   t0, unexpected
    csrw mtvec, t0
    call uart_init
    la   a0, text_start
    call print_str
    la   a0, my_ip
    li   a1, IP_ADDRESS_BYTES
    call print_bytes_dotted
    call print_newline

    call record_open
    call nic_init
    bnez a0, 1f
    la   a0, text_no_card
    call print_str
    tail power_off
1:  load_word a0, nic_irq
    li   a1, PLIC_HART0_M
    call plic_enable
    li   t0, MIP_MEIP | MIP_MTIP # they wake wfi; mstatus.MIE stays 0, so nothing traps
    csrw mie, t0
    call serve
    tail power_off

# Nothing here should trap: end with a code that says so.
    .align 2
unexpected:
    la   sp, stack_top
    la   a0, text_trap
    call print_str
    csrr a0, mcause
    call print_hex
    la   a0, text_at
    call print_str
    csrr a0, mepc
    call print_hex
    call print_newline
    li   a0, 1
    call finish_fail

park:
    wfi
    j    park

    .section .rodata
text_start:
    .asciz "appliance: M-mode, no paging, "
text_no_card:
    .asciz "appliance: no network card\n"
text_trap:
    .asciz "appliance: trap "
text_at:
    .asciz " at "
    .align 2
my_ip:
    .byte 10, 0, 0, 2

    .section .bss
    .align 4
    .space STACK_BYTES
stack_top:
