/* netdev.c: the network card: two queues, one buffer for each descriptor of the first. */
#include "cnet.h"

#define RX 0
#define TX 1
#define BUFFER 1536

static struct virtio_dev dev;
static struct virtqueue rx, tx;
static uint8 buffers[QUEUE_SIZE][BUFFER] __attribute__((aligned(8)));
static uint8 sending[BUFFER];
static uint16 rx_seen, tx_seen;
static uint32 header; /* bytes of struct virtio_net_hdr: 10, or 12 with modern devices */
static volatile int interrupts;
uint8 netdev_mac[6];
uint32 netdev_irq;

int netdev_start(void)
{
    for (uint32 i = 0; i < board.slots && !dev.base; i++)
        virtio_probe(&dev, board.slot[i], board.slot_irq[i], ID_NET);
    if (!dev.base)
        return -1;
    if (virtio_start(&dev, 1u << 5) < 0 || /* VIRTIO_NET_F_MAC */
        virtio_queue(&dev, RX, &rx) < 0 || virtio_queue(&dev, TX, &tx) < 0)
        panic("the network card does not take its queues");
    header = dev.modern ? 12 : 10;
    for (uint16 i = 0; i < QUEUE_SIZE; i++) {
        rx.desc[i] = (struct vq_desc){(uint32)buffers[i], BUFFER, DESC_WRITE, 0};
        rx.avail.ring[i] = i;
    }
    __sync_synchronize();
    rx.avail.idx = QUEUE_SIZE;
    tx.avail.flags = 1; /* no interrupt when a frame has gone */
    virtio_ready(&dev);
    *virtio_reg(&dev, VIRTIO_QUEUE_NOTIFY) = RX;
    for (int i = 0; i < 6; i++)
        netdev_mac[i] = *((volatile uint8 *)dev.base + VIRTIO_CONFIG + i);
    netdev_irq = dev.irq;
    *(volatile uint32 *)(board.plic + 4 * dev.irq) = 1;
    *(volatile uint32 *)(board.plic + 0x2080) = 1u << dev.irq;
    *(volatile uint32 *)(board.plic + 0x201000) = 0;
    csr_set(sie, IP_SEI);
    return 0;
}

void netdev_interrupt(void)
{
    *virtio_reg(&dev, VIRTIO_INTERRUPT_ACK) = *virtio_reg(&dev, VIRTIO_INTERRUPT_STATUS);
    interrupts++;
}

/* The next frame, 0 if there is none. */
int netdev_receive(uint8 *frame, uint32 room)
{
    if (rx_seen == *(volatile uint16 *)&rx.used.idx)
        return 0;
    __sync_synchronize();
    struct vq_used_elem done = rx.used.ring[rx_seen % QUEUE_SIZE];
    uint32 length = done.len > header ? done.len - header : 0;
    length = length < room ? length : room;
    memcpy(frame, buffers[done.id % QUEUE_SIZE] + header, length);
    rx_seen++;
    virtio_submit(&dev, RX, &rx, (uint16)done.id);
    return (int)length;
}

void netdev_send(const uint8 *frame, uint32 length)
{
    memset(sending, 0, header + 60);
    memcpy(sending + header, frame, length);
    length = length < 60 ? 60 : length; /* what Ethernet wants without its checksum */
    tx.desc[0] = (struct vq_desc){(uint32)sending, header + length, 0, 0};
    virtio_submit(&dev, TX, &tx, 0);
    while (tx_seen == *(volatile uint16 *)&tx.used.idx)
        ;
    tx_seen++;
}
