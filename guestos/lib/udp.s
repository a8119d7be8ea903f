# udp.s: the User Datagram Protocol (RFC 768).
# Purpose: check what comes in, send with a checksum.
# Mode: any.
# Entry points: udp_input, udp_send.
# The kernel provides the hook on_udp (a0 = frame, a1 = bytes of data at UDP_DATA).

    .include "net.inc"
    .include "abi.inc"

    .section .text
    .globl udp_input
    .globl udp_send

# udp_input: a datagram; its checksum, if it has one, must be right.
# In: a0 frame, a1 bytes behind the IP header.  Out: none.  Clobbers: t0-t6, a0-a7.
udp_input:
    prologue 2
    mv   s0, a0
    li   t0, UDP_HEADER
    bltu a1, t0, 2f
    get16 s1, UDP_LENGTH, s0, t1
    bltu s1, t0, 2f
    bltu a1, s1, 2f
    lhu  t0, UDP_CHECKSUM(s0)
    beqz t0, 1f
    mv   a1, s1
    call pseudo_checksum
    bnez a0, 2f
1:  mv   a0, s0
    addi a1, s1, -UDP_HEADER
    call on_udp
2:  epilogue 2

# pseudo_checksum: the checksum over addresses, protocol, length and the datagram.  The two
# addresses are just before the datagram, so one run covers both.
# In: s0 frame, a1 bytes of the datagram.  Out: a0 checksum.  Clobbers: t0, a1, a2.
pseudo_checksum:
    addi a2, a1, IP_PROTOCOL_UDP
    srli t0, a2, 8               # in the packet's byte order
    slli a2, a2, 8
    or   a2, a2, t0
    slli a2, a2, 16
    srli a2, a2, 16
    addi a0, s0, IP_SRC
    addi a1, a1, 2*IP_ADDRESS_BYTES
    tail net_checksum

# udp_send: send a datagram.
# In: a0 frame with Ethernet header, IP addresses, ports and data; a1 bytes of data.
# Out: none.  Clobbers: t0-t6, a0-a7.
udp_send:
    prologue 2
    mv   s0, a0
    addi s1, a1, UDP_HEADER
    put16 s1, UDP_LENGTH, s0, t0
    sh   zero, UDP_CHECKSUM(s0)
    mv   a1, s1
    call pseudo_checksum
    bnez a0, 1f
    li   a0, 0xffff              # 0 would mean "no checksum"
1:  sh   a0, UDP_CHECKSUM(s0)
    li   t0, IP_PROTOCOL_UDP
    sb   t0, IP_PROTOCOL(s0)
    mv   a0, s0
    mv   a1, s1
    call ip_finish
    mv   a0, s0
    call nic_send
    epilogue 2
