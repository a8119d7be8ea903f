/* net.c: a host 10.0.0.3: ARP, ping, UDP echo on port 7; a datagram to port 9 ends it. */
#include "cnet.h"

struct eth {
    uint8 to[6], from[6];
    uint16 type;
} __attribute__((packed));

struct arp {
    uint16 hardware, protocol;
    uint8 hlen, plen;
    uint16 op;
    uint8 sha[6], spa[4], tha[6], tpa[4];
} __attribute__((packed));

struct ip {
    uint8 version, tos;
    uint16 length, id, fragment;
    uint8 ttl, protocol;
    uint16 sum;
    uint8 from[4], to[4];
} __attribute__((packed));

struct icmp {
    uint8 type, code;
    uint16 sum;
} __attribute__((packed));

struct udp {
    uint16 from, to, length, sum;
} __attribute__((packed));

static const uint8 my_ip[4] = {10, 0, 0, 3};
static uint8 frame[1536];
static uint32 arps, pings, datagrams;
static int finished;

static uint16 swap16(uint16 v)
{
    return (uint16)(v << 8 | v >> 8);
}

/* The Internet checksum; an odd last byte counts as the high half of a word. */
static uint16 checksum(const void *data, uint32 length)
{
    const uint8 *bytes = data;
    uint32 sum = 0;
    for (uint32 i = 0; i + 1 < length; i += 2)
        sum += (uint32)bytes[i] << 8 | bytes[i + 1];
    if (length & 1)
        sum += (uint32)bytes[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return swap16((uint16)~sum);
}

static void back(struct eth *eth, uint32 length)
{
    memcpy(eth->to, eth->from, 6);
    memcpy(eth->from, netdev_mac, 6);
    netdev_send(frame, length);
}

static void handle_arp(struct eth *eth, uint32 length)
{
    struct arp *arp = (struct arp *)(eth + 1);
    if (length < sizeof(*eth) + sizeof(*arp) || swap16(arp->op) != 1 ||
        memcmp(arp->tpa, my_ip, 4) != 0)
        return;
    arps++;
    arp->op = swap16(2);
    memcpy(arp->tha, arp->sha, 6);
    memcpy(arp->tpa, arp->spa, 4);
    memcpy(arp->sha, netdev_mac, 6);
    memcpy(arp->spa, my_ip, 4);
    back(eth, sizeof(*eth) + sizeof(*arp));
}

static void handle_ip(struct eth *eth, uint32 length)
{
    struct ip *ip = (struct ip *)(eth + 1);
    if (length < sizeof(*eth) + sizeof(*ip) || ip->version != 0x45 ||
        memcmp(ip->to, my_ip, 4) != 0 || checksum(ip, sizeof(*ip)) != 0)
        return;
    uint32 inside = swap16(ip->length);
    if (inside < sizeof(*ip) || inside > length - sizeof(*eth))
        return;
    uint32 payload = inside - sizeof(*ip);
    if (ip->protocol == 1 && payload >= 8) {
        struct icmp *icmp = (struct icmp *)(ip + 1);
        if (icmp->type != 8 || checksum(icmp, payload) != 0)
            return;
        pings++;
        icmp->type = 0;
        icmp->sum = 0;
        icmp->sum = checksum(icmp, payload);
    } else if (ip->protocol == 17 && payload >= sizeof(struct udp)) {
        struct udp *udp = (struct udp *)(ip + 1);
        if (swap16(udp->to) == 9) {
            finished = 1;
            return;
        }
        if (swap16(udp->to) != 7)
            return;
        datagrams++;
        uint16 port = udp->from;
        udp->from = udp->to;
        udp->to = port;
        /* Ports and addresses change places, so the checksum stays right. */
    } else {
        return;
    }
    memcpy(ip->to, ip->from, 4);
    memcpy(ip->from, my_ip, 4);
    ip->ttl = 64;
    ip->sum = 0;
    ip->sum = checksum(ip, sizeof(*ip));
    back(eth, sizeof(*eth) + inside);
}

/* Sleeps between frames; ends by a datagram to port 9 or after ten quiet seconds. */
void net_serve(void)
{
    uint64 quiet = rdtime() + 10ull * board.timebase;
    printf("cnet: network card, 10.0.0.3 answers\n");
    while (!finished && rdtime() < quiet) {
        intr_off();
        int length = netdev_receive(frame, sizeof(frame));
        if (length == 0) {
            wfi(); /* a pending interrupt ends it, taken or not */
            intr_on();
            continue;
        }
        intr_on();
        quiet = rdtime() + 10ull * board.timebase;
        struct eth *eth = (struct eth *)frame;
        if ((uint32)length < sizeof(*eth))
            continue;
        if (swap16(eth->type) == 0x0806)
            handle_arp(eth, (uint32)length);
        else if (swap16(eth->type) == 0x0800)
            handle_ip(eth, (uint32)length);
    }
    printf("cnet: answered %u ARP, %u echo requests, %u datagrams\n", arps, pings, datagrams);
}
