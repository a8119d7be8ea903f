# net.s: teachos on the network.
# Purpose: one echo request at a time, for a process that waits; what comes in.
# Mode: S.
# Entry points: net_ping, net_receive, net_timeout, net_deadline; my_ip, net_peer_ip,
# net_peer_mac; the hooks of lib/arp.s, lib/icmp.s and lib/ip.s.

    .include "platform.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "net.inc"
    .include "teachos/teachos.inc"
    .include "teachos/syscall.inc"

# What is waited for.
.equ IDLE, 0
.equ ARP_REPLY, 1
.equ ECHO_REPLY, 2

    .section .text
    .globl net_ping
    .globl net_receive
    .globl net_timeout
    .globl net_deadline
    .globl my_ip
    .globl net_peer_ip
    .globl net_peer_mac
    .globl on_arp_answered
    .globl on_arp_reply
    .globl on_echo_answered
    .globl on_echo_reply
    .globl on_udp

# net_ping: ask for an echo; the process waits for sched_wake.
# In: a0 IP address, a1 sequence number, a2 timeout in ticks, a3 process.
# Out: a0 error (or anything, if the process waits).  Clobbers: t0-t6, a1-a7.
net_ping:
    prologue 3
    mv   s0, a0
    mv   s1, a1
    mv   s2, a2
    load_word t0, nic_base
    li   a0, ERR_NO_DEVICE
    beqz t0, 2f
    load_word t0, waiting_for
    li   a0, ERR_BUSY
    bnez t0, 2f
    store_word a3, waiter, t0
    li   t1, PROC_WAITING
    sw   t1, PROC_STATE(a3)
    store_word s1, sequence, t0
    call timer_now
    add  a0, a0, s2
    store_word a0, deadline, t0

    load_word t1, net_peer_ip        # known from the last time?
    bne  t1, s0, 1f
    call send_echo
    epilogue 3
1:  store_word s0, asked_ip, t0
    li   t1, ARP_REPLY
    store_word t1, waiting_for, t0
    mv   a0, s0
    call arp_ask
2:  epilogue 3

# send_echo: send the request to the peer and note the time.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
send_echo:
    li   t1, ECHO_REPLY
    store_word t1, waiting_for, t0
    rdtime t1
    store_word t1, sent, t0
    load_word a0, sequence
    tail net_send_echo

# net_receive: serve all frames that have come.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
net_receive:
    prologue 0
1:  call nic_poll
    beqz a0, 2f
    call net_input
    call nic_release
    j    1b
2:  epilogue 0

# net_deadline: how long until net_timeout will have something to do.
# In: none.  Out: a0 ticks, at most 2^31 - 1.  Clobbers: t0, t1.
net_deadline:
    load_word a0, deadline
    rdtime t0
    sub  a0, a0, t0
    bgez a0, 1f
    li   a0, 0                   # it has passed
1:  ret

# net_timeout: end a wait that has taken too long.
# In: none.  Out: none.  Clobbers: t0-t2, a0, a1.
net_timeout:
    load_word t0, waiting_for
    beqz t0, 1f
    load_word t1, deadline
    rdtime t2
    sub  t2, t2, t1
    bltz t2, 1f
    li   a1, ERR_TIMEOUT
    j    answer
1:  ret

# answer: the wait is over.
# In: a1 result.  Out: none.  Clobbers: t0, t1, a0.
answer:
    la   t0, waiting_for
    sw   zero, 0(t0)
    load_word a0, waiter
    tail sched_wake

# Hooks.  Their arguments are described where they are called.

on_arp_reply:
    prologue 1
    load_word t0, waiting_for
    li   t1, ARP_REPLY
    bne  t0, t1, 1f
    mv   s0, a0
    addi a0, s0, ARP_SPA
    la   a1, asked_ip
    li   a2, IP_ADDRESS_BYTES
    call mem_equal
    beqz a0, 1f
    la   a0, net_peer_mac
    addi a1, s0, ARP_SHA
    li   a2, MAC_BYTES
    call mem_copy
    load_word t1, asked_ip
    store_word t1, net_peer_ip, t0
    call send_echo
1:  epilogue 1

on_echo_reply:
    prologue 0
    rdtime t2                    # before anything else takes time
    load_word t0, waiting_for
    li   t1, ECHO_REPLY
    bne  t0, t1, 1f
    load_word t1, sent
    sub  t2, t2, t1
    store_word t2, round_trip, t0
    load_word a2, sequence
    call net_echo_matches
    beqz a0, 1f
    load_word a1, round_trip
    call answer
1:  epilogue 0

on_arp_answered:
on_echo_answered:
on_udp:
    ret

    .section .rodata
    .align 2
my_ip:
    .byte 10, 0, 0, 1

    .section .bss
    .align 2
waiting_for:
    .space WORD
waiter:                          # the process
    .space WORD
sequence:
    .space WORD
sent:                            # low words of mtime
    .space WORD
deadline:
    .space WORD
round_trip:
    .space WORD
asked_ip:
    .space WORD
net_peer_ip:                         # 0 until one has answered
    .space WORD
net_peer_mac:
    .space 2*WORD
