# arp.s: the Address Resolution Protocol (RFC 826).
# Purpose: answer requests for this host, ask for others.
# Mode: any.
# Entry points: arp_input, arp_ask.
# The kernel provides my_ip and the hooks on_arp_answered (no arguments) and on_arp_reply
# (a0 = frame: sender's addresses at ARP_SHA and ARP_SPA).

    .include "net.inc"
    .include "abi.inc"

    .section .text
    .globl arp_input
    .globl arp_ask

# arp_input: a request for this host is answered in place, a reply goes to the kernel.
# In: a0 frame, a1 bytes.  Out: none.  Clobbers: t0-t6, a0-a7.
arp_input:
    prologue 1
    mv   s0, a0
    li   t0, ARP_END
    bltu a1, t0, 2f
    lhu  t0, ARP_HTYPE(s0)
    li   t1, ARP_HTYPE_ETH_LE
    bne  t0, t1, 2f
    lhu  t0, ARP_PTYPE(s0)
    li   t1, ETH_TYPE_IP_LE
    bne  t0, t1, 2f
    lhu  t0, ARP_HLEN(s0)
    li   t1, ARP_LENGTHS_LE
    bne  t0, t1, 2f
    addi a0, s0, ARP_TPA
    la   a1, my_ip
    li   a2, IP_ADDRESS_BYTES
    call mem_equal
    beqz a0, 2f
    lhu  t0, ARP_OPER(s0)
    li   t1, ARP_REPLY_LE
    beq  t0, t1, 1f
    li   t1, ARP_REQUEST_LE
    bne  t0, t1, 2f

    addi a0, s0, ETH_DST         # to whom asked
    addi a1, s0, ARP_SHA
    li   a2, MAC_BYTES
    call mem_copy
    addi a0, s0, ARP_THA         # the asker's two addresses become the target's
    addi a1, s0, ARP_SHA
    li   a2, MAC_BYTES + IP_ADDRESS_BYTES
    call mem_copy
    li   t0, ARP_REPLY_LE
    sh   t0, ARP_OPER(s0)
    mv   a0, s0
    call send_as_me
    call on_arp_answered
    epilogue 1

1:  mv   a0, s0
    call on_arp_reply
2:  epilogue 1

# arp_ask: who has this address?
# In: a0 IP address (a word as in memory).  Out: none.  Clobbers: t0-t6, a0-a7.
arp_ask:
    prologue 1
    la   s0, question + 2        # frames start at 2 modulo 4
    sh   a0, ARP_TPA(s0)
    srli a0, a0, 16
    sh   a0, ARP_TPA+2(s0)
    mv   a0, s0
    li   a1, 0xff                # to all
    li   a2, MAC_BYTES
    call mem_fill
    li   t0, ETH_TYPE_ARP_LE
    sh   t0, ETH_TYPE(s0)
    li   t0, ARP_HTYPE_ETH_LE
    sh   t0, ARP_HTYPE(s0)
    li   t0, ETH_TYPE_IP_LE
    sh   t0, ARP_PTYPE(s0)
    li   t0, ARP_LENGTHS_LE
    sh   t0, ARP_HLEN(s0)
    li   t0, ARP_REQUEST_LE
    sh   t0, ARP_OPER(s0)
    mv   a0, s0
    call send_as_me
    epilogue 1

# send_as_me: send an ARP packet with this host as its sender.
# In: a0 frame.  Out: none.  Clobbers: t0-t6, a0-a7.
send_as_me:
    prologue 1
    mv   s0, a0
    addi a0, s0, ETH_SRC
    la   a1, nic_mac
    li   a2, MAC_BYTES
    call mem_copy
    addi a0, s0, ARP_SHA
    la   a1, nic_mac
    li   a2, MAC_BYTES
    call mem_copy
    addi a0, s0, ARP_SPA
    la   a1, my_ip
    li   a2, IP_ADDRESS_BYTES
    call mem_copy
    mv   a0, s0
    li   a1, ARP_END
    call nic_send
    epilogue 1

    .section .bss
    .align 2
question:
    .space 2 + ARP_END
