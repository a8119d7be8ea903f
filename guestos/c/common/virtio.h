/* virtio.h: virtio over MMIO, legacy (version 1) and modern (version 2), split virtqueues. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "types.h"

#define VIRTIO_MAGIC 0x000
#define VIRTIO_VERSION 0x004
#define VIRTIO_DEVICE_ID 0x008
#define VIRTIO_DEVICE_FEATURES 0x010
#define VIRTIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_DRIVER_FEATURES 0x020
#define VIRTIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_GUEST_PAGE_SIZE 0x028 /* legacy */
#define VIRTIO_QUEUE_SEL 0x030
#define VIRTIO_QUEUE_NUM_MAX 0x034
#define VIRTIO_QUEUE_NUM 0x038
#define VIRTIO_QUEUE_ALIGN 0x03c /* legacy */
#define VIRTIO_QUEUE_PFN 0x040   /* legacy */
#define VIRTIO_QUEUE_READY 0x044
#define VIRTIO_QUEUE_NOTIFY 0x050
#define VIRTIO_INTERRUPT_STATUS 0x060
#define VIRTIO_INTERRUPT_ACK 0x064
#define VIRTIO_STATUS 0x070
#define VIRTIO_QUEUE_DESC 0x080
#define VIRTIO_QUEUE_DRIVER 0x090
#define VIRTIO_QUEUE_DEVICE 0x0a0
#define VIRTIO_CONFIG 0x100

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED 128

#define ID_NET 1
#define ID_BLOCK 2

#define QUEUE_SIZE 8
#define DESC_NEXT 1
#define DESC_WRITE 2

struct vq_desc {
    uint64 addr;
    uint32 len;
    uint16 flags;
    uint16 next;
};

struct vq_avail {
    uint16 flags;
    uint16 idx;
    uint16 ring[QUEUE_SIZE];
    uint16 used_event;
};

struct vq_used_elem {
    uint32 id;
    uint32 len;
};

struct vq_used {
    uint16 flags;
    uint16 idx;
    struct vq_used_elem ring[QUEUE_SIZE];
};

/* Two pages: the legacy interface wants the used ring on the page after the rest. */
struct virtqueue {
    struct vq_desc desc[QUEUE_SIZE];
    struct vq_avail avail;
    uint8 pad[4096 - sizeof(struct vq_desc) * QUEUE_SIZE - sizeof(struct vq_avail)];
    struct vq_used used;
    uint8 pad2[4096 - sizeof(struct vq_used)];
} __attribute__((aligned(4096)));

struct virtio_dev {
    uint32 base; /* address of its registers, 0: none */
    uint32 irq;
    int modern;
};

static inline volatile uint32 *virtio_reg(const struct virtio_dev *dev, uint32 offset)
{
    return (volatile uint32 *)(dev->base + offset);
}

/* Is there a device of this kind in the slot at base? Fills dev and returns 1 if so. */
int virtio_probe(struct virtio_dev *dev, uint32 base, uint32 irq, uint32 id);
/* Reset, agree on (features & wanted) of the lower word, or -1. */
int virtio_start(struct virtio_dev *dev, uint32 wanted);
/* Give the device a queue that lies at its physical address; -1 if it is too large. */
int virtio_queue(struct virtio_dev *dev, uint32 index, struct virtqueue *q);
void virtio_ready(struct virtio_dev *dev);
/* Put descriptor chain `head` in the ring of queue `index` and tell the device. */
void virtio_submit(struct virtio_dev *dev, uint32 index, struct virtqueue *q, uint16 head);

#endif
