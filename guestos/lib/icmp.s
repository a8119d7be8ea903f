# icmp.s: the Internet Control Message Protocol (RFC 792), its echo only.
# Purpose: answer echo requests, build one, tell the kernel of replies.
# Mode: any.
# Entry points: icmp_input, icmp_ask.
# The kernel provides the hooks on_echo_answered (no arguments) and on_echo_reply (a0 = frame,
# a1 = bytes of the ICMP message).

    .include "net.inc"
    .include "abi.inc"

    .section .text
    .globl icmp_input
    .globl icmp_ask

# icmp_input: a message with a right checksum: a request is answered in place.
# In: a0 frame, a1 bytes of the message.  Out: none.  Clobbers: t0-t6, a0-a7.
icmp_input:
    prologue 2
    mv   s0, a0
    mv   s1, a1
    li   t0, ICMP_HEADER
    bltu s1, t0, 2f
    addi a0, s0, ICMP_TYPE
    li   a2, 0
    call net_checksum
    bnez a0, 2f
    lbu  t0, ICMP_CODE(s0)
    bnez t0, 2f
    lbu  t0, ICMP_TYPE(s0)
    li   t1, ICMP_ECHO_REPLY
    beq  t0, t1, 1f
    li   t1, ICMP_ECHO_REQUEST
    bne  t0, t1, 2f

    mv   a0, s0
    call ip_swap
    li   t0, ICMP_ECHO_REPLY
    sb   t0, ICMP_TYPE(s0)
    mv   a0, s0
    mv   a1, s1
    call send
    call on_echo_answered
    epilogue 2

1:  mv   a0, s0
    mv   a1, s1
    call on_echo_reply
2:  epilogue 2

# icmp_ask: send an echo request.
# In: a0 frame with Ethernet header, IP addresses and, from ICMP_ID on, the message;
# a1 bytes of the message, its header included.  Out: none.  Clobbers: t0-t6, a0-a7.
icmp_ask:
    li   t0, ICMP_ECHO_REQUEST
    sb   t0, ICMP_TYPE(a0)
    sb   zero, ICMP_CODE(a0)
    li   t0, IP_PROTOCOL_ICMP
    sb   t0, IP_PROTOCOL(a0)

# send: checksums, then the card.
# In: a0 frame, a1 bytes of the message.  Out: none.  Clobbers: t0-t6, a0-a7.
send:
    prologue 2
    mv   s0, a0
    mv   s1, a1
    sh   zero, ICMP_CHECKSUM(s0)
    addi a0, s0, ICMP_TYPE
    li   a2, 0
    call net_checksum
    sh   a0, ICMP_CHECKSUM(s0)
    mv   a0, s0
    mv   a1, s1
    call ip_finish
    mv   a0, s0
    call nic_send
    epilogue 2
