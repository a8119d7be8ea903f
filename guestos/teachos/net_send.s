# net_send.s: the packets that teachos sends.
# Purpose: build echo requests and the good-night datagram; recognise the answer to a request.
# Mode: S.
# Entry points: net_send_echo, net_echo_matches, net_good_night.

    .include "abi.inc"
    .include "net.inc"

.equ ECHO_ID_LE, 0x6f74          # "to"

    .section .text
    .globl net_send_echo
    .globl net_echo_matches
    .globl net_good_night

    .section .rodata
echo_data:
    .ascii "toyvm teachos echo 0123456789abc"
.equ ECHO_DATA_BYTES, . - echo_data
good_night:
    .ascii "good night"
.equ GOOD_NIGHT_BYTES, . - good_night

    .section .text

# net_send_echo: ask the peer for an echo.
# In: a0 sequence number.  Out: none.  Clobbers: t0-t6, a0-a7.
net_send_echo:
    prologue 2
    mv   s1, a0
    call address_peer
    la   s0, frame + 2
    li   t0, ECHO_ID_LE
    sh   t0, ICMP_ID(s0)
    put16 s1, ICMP_SEQ, s0, t0
    addi a0, s0, ICMP_DATA
    la   a1, echo_data
    li   a2, ECHO_DATA_BYTES
    call mem_copy
    mv   a0, s0
    li   a1, ICMP_HEADER + ECHO_DATA_BYTES
    call icmp_ask
    epilogue 2

# net_echo_matches: is this the reply to our request?
# In: a0 frame, a1 bytes of the ICMP message, a2 sequence number of the request.
# Out: a0 = 1 if so, else 0.  Clobbers: t0, t1, a1, a2.
net_echo_matches:
    mv   t0, a0
    li   a0, 0
    li   t1, ICMP_HEADER + ECHO_DATA_BYTES
    bne  a1, t1, 1f
    lhu  a1, ICMP_ID(t0)
    li   t1, ECHO_ID_LE
    bne  a1, t1, 1f
    get16 a1, ICMP_SEQ, t0, t1
    bne  a1, a2, 1f
    addi a0, t0, ICMP_DATA
    la   a1, echo_data
    li   a2, ECHO_DATA_BYTES
    tail mem_equal
1:  ret

# net_good_night: tell the neighbour, if one has answered, that this was all.
# In: none.  Out: none.  Clobbers: t0-t6, a0-a7.
net_good_night:
    prologue 1
    load_word t0, net_peer_ip
    beqz t0, 1f
    call address_peer
    la   s0, frame + 2
    li   t1, UDP_PORT_DISCARD
    put16 t1, UDP_SRC_PORT, s0, t0
    put16 t1, UDP_DST_PORT, s0, t0
    addi a0, s0, UDP_DATA
    la   a1, good_night
    li   a2, GOOD_NIGHT_BYTES
    call mem_copy
    mv   a0, s0
    li   a1, GOOD_NIGHT_BYTES
    call udp_send
    call nic_drain
1:  epilogue 1

# address_peer: fill in the Ethernet header and the IP addresses.
# In: none.  Out: none.  Clobbers: t0, t1, a0-a2.
address_peer:
    prologue 1
    la   s0, frame + 2
    addi a0, s0, ETH_DST
    la   a1, net_peer_mac
    li   a2, MAC_BYTES
    call mem_copy
    addi a0, s0, ETH_SRC
    la   a1, nic_mac
    li   a2, MAC_BYTES
    call mem_copy
    li   t0, ETH_TYPE_IP_LE
    sh   t0, ETH_TYPE(s0)
    load_word t0, my_ip
    sw   t0, IP_SRC(s0)
    load_word t0, net_peer_ip
    sw   t0, IP_DST(s0)
    epilogue 1

    .section .bss
    .align 2
frame:                           # frames start at 2 modulo 4
    .space 2 + FRAME_MAX
