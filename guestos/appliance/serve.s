# serve.s: the appliance's loop.
# Purpose: serve frames as they come, sleep between them.
# Mode: M.
# Entry points: serve, power_off, io_wait; the hooks of lib/arp.s, lib/icmp.s and lib/ip.s.

    .include "platform.inc"
    .include "abi.inc"
    .include "net.inc"
    .include "plic.inc"
    .include "appliance/appliance.inc"

    .section .text
    .globl serve
    .globl power_off
    .globl io_wait
    .globl on_echo_answered
    .globl on_arp_answered
    .globl on_echo_reply
    .globl on_arp_reply
    .globl on_udp

# serve: until the good-night datagram, or until no frame has come for too long.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
serve:
    prologue 2
    li   a0, PATIENCE_FIRST
    call extend
1:  call nic_poll
    beqz a0, 2f
    call net_input
    call nic_release
    li   a0, PATIENCE
    call extend
    load_word t0, bedtime
    beqz t0, 1b
    epilogue 2

2:  call clint_time
    la   t0, deadline
    lw   t1, 0(t0)
    lw   t2, WORD(t0)
    bltu a1, t2, 3f
    bne  a1, t2, 4f
    bgeu a0, t1, 4f
3:  wfi                          # the card or the deadline ends it, pending or to come
    li   a0, PLIC_HART0_M
    call plic_claim
    beqz a0, 1b
    mv   s0, a0
    load_word a0, nic_base
    call virtio_ack
    mv   a0, s0
    li   a1, PLIC_HART0_M
    call plic_complete
    j    1b
4:  la   a0, text_forgotten
    call print_str
    epilogue 2

# extend: patience starts anew.
# In: a0 ticks.  Out: none.  Clobbers: t0-t2, a0, a1.
extend:
    prologue 1
    mv   s0, a0
    call clint_time
    add  a0, a0, s0
    sltu t0, a0, s0              # the carry
    add  a1, a1, t0
    la   t0, deadline
    sw   a0, 0(t0)
    sw   a1, WORD(t0)
    call clint_set_deadline
    epilogue 1

# power_off: the last line, then off.
# In: none.  Out: does not return.
power_off:
    la   a0, text_answered
    call print_str
    load_word a0, echos
    call print_dec
    la   a0, text_echo_and
    call print_str
    load_word a0, arps
    call print_dec
    la   a0, text_arp
    call print_str
    call record_report
    call nic_drain
    call finish_pass

# io_wait: the disk is waited for by asking it again and again.
# In: none.  Out: none.  Clobbers: none.
io_wait:
    ret

# Hooks.  Their arguments are described where they are called.

on_echo_answered:
    add_word 1, echos, t0, t1
    tail record_echo

on_arp_answered:
    add_word 1, arps, t0, t1
    tail record_arp

on_echo_reply:                   # nothing was asked
on_arp_reply:
    ret

# on_udp: any datagram to the discard port is the good-night.
# In: a0 frame, a1 bytes of data.  Out: none.  Clobbers: t0-t6, a0-a7.
on_udp:
    prologue 1
    mv   s0, a0
    get16 t0, UDP_DST_PORT, s0, t1
    li   t1, UDP_PORT_DISCARD
    bne  t0, t1, 1f
    la   a0, text_good_night
    call print_str
    addi a0, s0, IP_SRC
    li   a1, IP_ADDRESS_BYTES
    call print_bytes_dotted
    call print_newline
    li   t1, 1
    store_word t1, bedtime, t0
1:  epilogue 1

    .section .rodata
text_forgotten:
    .asciz "appliance: no frame for too long\n"
text_good_night:
    .asciz "appliance: good night from "
text_answered:
    .asciz "appliance: answered "
text_echo_and:
    .asciz " echo and "
text_arp:
    .asciz " ARP requests"

    .section .bss
    .align 2
deadline:                        # two words
    .space 2*WORD
bedtime:                         # not 0: switch off
    .space WORD
echos:
    .space WORD
arps:
    .space WORD
