# ip.s: what comes in from the network.
# Purpose: check a frame and hand it to arp.s, icmp.s or the kernel; checksums; answers in place.
# Mode: any.
# Entry points: net_input, net_checksum, ip_finish, ip_swap.
# The kernel provides my_ip (four bytes, word-aligned) and the hooks named in arp.s, icmp.s and
# here: on_udp (a0 = frame, checked).

    .include "net.inc"
    .include "abi.inc"

    .section .text
    .globl net_input
    .globl net_checksum
    .globl ip_finish
    .globl ip_swap

# net_input: serve one received frame; what is broken or not for this host is dropped.
# In: a0 frame (2 modulo 4), a1 bytes.  Out: none.  Clobbers: t0-t6, a0-a7.
net_input:
    prologue 2
    mv   s0, a0
    mv   s1, a1
    li   t0, ETH_HEADER
    bltu s1, t0, drop
    la   a1, nic_mac
    li   a2, MAC_BYTES
    call mem_equal               # ETH_DST is at the frame's start
    bnez a0, 1f
    mv   a0, s0
    la   a1, broadcast
    li   a2, MAC_BYTES
    call mem_equal
    beqz a0, drop
1:  lhu  t0, ETH_TYPE(s0)
    mv   a0, s0
    mv   a1, s1
    li   t1, ETH_TYPE_ARP_LE
    bne  t0, t1, 2f
    call arp_input
    j    drop
2:  li   t1, ETH_TYPE_IP_LE
    bne  t0, t1, drop
    call ip_input
drop:
    epilogue 2

# ip_input: an IPv4 packet: header without options, whole, for this host, checksum right.
# In: a0 frame, a1 bytes.  Out: none.  Clobbers: t0-t6, a0-a7.
ip_input:
    prologue 2
    mv   s0, a0
    li   t0, IP_END
    bltu a1, t0, 2f
    lbu  t0, IP_VERSION(s0)
    li   t1, IP_VERSION_4_NO_OPTIONS
    bne  t0, t1, 2f
    get16 s1, IP_LENGTH, s0, t0
    addi t0, a1, -ETH_HEADER
    bltu t0, s1, 2f              # cut short
    lhu  t0, IP_FRAGMENT(s0)
    li   t1, IP_FRAGMENT_MASK_LE
    and  t0, t0, t1
    bnez t0, 2f
    lw   t0, IP_DST(s0)
    load_word t1, my_ip
    bne  t0, t1, 2f
    addi a0, s0, ETH_HEADER
    li   a1, IP_HEADER
    li   a2, 0
    call net_checksum
    bnez a0, 2f
    addi s1, s1, -IP_HEADER      # bytes behind the IP header
    lbu  t0, IP_PROTOCOL(s0)
    mv   a0, s0
    mv   a1, s1
    li   t1, IP_PROTOCOL_ICMP
    bne  t0, t1, 1f
    call icmp_input
    j    2f
1:  li   t1, IP_PROTOCOL_UDP
    bne  t0, t1, 2f
    call udp_input
2:  epilogue 2

# net_checksum: the Internet checksum (RFC 1071), in the byte order of the packet: it is
# stored with sh as it is, and over data that contains its own checksum it is 0.
# In: a0 address (even), a1 bytes, a2 a sum to start from.  Out: a0 checksum.
# Clobbers: a1, a2, t0.
net_checksum:
    li   t0, 2
1:  bltu a1, t0, 2f
    lhu  t0, 0(a0)
    add  a2, a2, t0
    addi a0, a0, 2
    addi a1, a1, -2
    li   t0, 2
    j    1b
2:  beqz a1, 3f
    lbu  t0, 0(a0)               # the odd last byte, as if a zero followed
    add  a2, a2, t0
3:  srli t0, a2, 16              # fold the carries back
    beqz t0, 4f
    slli a2, a2, 16
    srli a2, a2, 16
    add  a2, a2, t0
    j    3b
4:  not  a0, a2
    slli a0, a0, 16
    srli a0, a0, 16
    ret

# ip_swap: turn a received packet's addresses round, Ethernet and IP.
# In: a0 frame.  Out: none.  Clobbers: t0-t6, a0-a2.
ip_swap:
    prologue 1
    mv   s0, a0
    lw   t0, IP_SRC(s0)
    lw   t1, IP_DST(s0)
    sw   t0, IP_DST(s0)
    sw   t1, IP_SRC(s0)
    addi a0, s0, ETH_DST
    addi a1, s0, ETH_SRC
    li   a2, MAC_BYTES
    call mem_copy
    addi a0, s0, ETH_SRC
    la   a1, nic_mac
    li   a2, MAC_BYTES
    call mem_copy
    epilogue 1

# ip_finish: the fields of the IP header that are the same in all our packets, its length and
# its checksum.  Protocol and addresses are there already.
# In: a0 frame, a1 bytes behind the IP header.  Out: a1 bytes of the frame.
# Clobbers: t0-t2, a0, a2.
ip_finish:
    prologue 2
    mv   s0, a0
    addi s1, a1, IP_HEADER
    li   t0, IP_VERSION_4_NO_OPTIONS
    sb   t0, IP_VERSION(s0)
    sb   zero, IP_TOS(s0)
    put16 s1, IP_LENGTH, s0, t0
    sh   zero, IP_ID(s0)
    sh   zero, IP_FRAGMENT(s0)
    li   t0, IP_TTL_START
    sb   t0, IP_TTL(s0)
    sh   zero, IP_CHECKSUM(s0)
    addi a0, s0, ETH_HEADER
    li   a1, IP_HEADER
    li   a2, 0
    call net_checksum
    sh   a0, IP_CHECKSUM(s0)
    addi a1, s1, ETH_HEADER
    epilogue 2

    .section .rodata
broadcast:
    .byte 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
