/* virtio.c: the part of a virtio driver that is the same for every device. */
#include "virtio.h"

#include "lib.h"
#include "riscv.h"

int virtio_probe(struct virtio_dev *dev, uint32 base, uint32 irq, uint32 id)
{
    struct virtio_dev found = {base, irq, 0};
    uint32 version = *virtio_reg(&found, VIRTIO_VERSION);
    if (*virtio_reg(&found, VIRTIO_MAGIC) != 0x74726976 || version < 1 || version > 2)
        return 0;
    if (*virtio_reg(&found, VIRTIO_DEVICE_ID) != id)
        return 0;
    found.modern = version == 2;
    *dev = found;
    return 1;
}

int virtio_start(struct virtio_dev *dev, uint32 wanted)
{
    volatile uint32 *status = virtio_reg(dev, VIRTIO_STATUS);
    *status = 0;
    *status = STATUS_ACKNOWLEDGE;
    *status |= STATUS_DRIVER;
    *virtio_reg(dev, VIRTIO_DEVICE_FEATURES_SEL) = 0;
    uint32 features = *virtio_reg(dev, VIRTIO_DEVICE_FEATURES) & wanted;
    *virtio_reg(dev, VIRTIO_DRIVER_FEATURES_SEL) = 0;
    *virtio_reg(dev, VIRTIO_DRIVER_FEATURES) = features;
    if (!dev->modern) {
        *virtio_reg(dev, VIRTIO_GUEST_PAGE_SIZE) = PGSIZE;
        return 0;
    }
    *virtio_reg(dev, VIRTIO_DEVICE_FEATURES_SEL) = 1;
    if (!(*virtio_reg(dev, VIRTIO_DEVICE_FEATURES) & 1)) /* VIRTIO_F_VERSION_1 */
        return -1;
    *virtio_reg(dev, VIRTIO_DRIVER_FEATURES_SEL) = 1;
    *virtio_reg(dev, VIRTIO_DRIVER_FEATURES) = 1;
    *status |= STATUS_FEATURES_OK;
    return *status & STATUS_FEATURES_OK ? 0 : -1;
}

int virtio_queue(struct virtio_dev *dev, uint32 index, struct virtqueue *q)
{
    memset(q, 0, sizeof(*q));
    *virtio_reg(dev, VIRTIO_QUEUE_SEL) = index;
    if (*virtio_reg(dev, VIRTIO_QUEUE_NUM_MAX) < QUEUE_SIZE)
        return -1;
    *virtio_reg(dev, VIRTIO_QUEUE_NUM) = QUEUE_SIZE;
    if (dev->modern) {
        *virtio_reg(dev, VIRTIO_QUEUE_DESC) = (uint32)q->desc;
        *virtio_reg(dev, VIRTIO_QUEUE_DESC + 4) = 0;
        *virtio_reg(dev, VIRTIO_QUEUE_DRIVER) = (uint32)&q->avail;
        *virtio_reg(dev, VIRTIO_QUEUE_DRIVER + 4) = 0;
        *virtio_reg(dev, VIRTIO_QUEUE_DEVICE) = (uint32)&q->used;
        *virtio_reg(dev, VIRTIO_QUEUE_DEVICE + 4) = 0;
        *virtio_reg(dev, VIRTIO_QUEUE_READY) = 1;
    } else {
        *virtio_reg(dev, VIRTIO_QUEUE_ALIGN) = PGSIZE;
        *virtio_reg(dev, VIRTIO_QUEUE_PFN) = (uint32)q >> PGSHIFT;
    }
    return 0;
}

void virtio_ready(struct virtio_dev *dev)
{
    *virtio_reg(dev, VIRTIO_STATUS) |= STATUS_DRIVER_OK;
}

void virtio_submit(struct virtio_dev *dev, uint32 index, struct virtqueue *q, uint16 head)
{
    q->avail.ring[q->avail.idx % QUEUE_SIZE] = head;
    __sync_synchronize();
    q->avail.idx++;
    __sync_synchronize();
    *virtio_reg(dev, VIRTIO_QUEUE_NOTIFY) = index;
}
