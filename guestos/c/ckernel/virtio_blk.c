/* virtio_blk.c: the first block device of the board, with interrupts. */
#include "../common/virtio.h"
#include "defs.h"

#define BLK_IN 0
#define BLK_OUT 1

struct request {
    uint32 type;
    uint32 reserved;
    uint64 sector;
};

static struct virtio_dev dev;
static struct virtqueue queue;
static struct spinlock lock;
static struct sleeplock one; /* one request at a time */
static struct request request;
static volatile uint8 status;
static volatile int done;
static uint16 seen;
uint32 disk_irq;

int disk_present(void)
{
    return dev.base != 0;
}

void diskinit(void)
{
    initlock(&lock, "disk");
    initsleeplock(&one, "disk request");
    for (uint32 slot = 0; slot < VIRTIO_SLOTS && !dev.base; slot++)
        virtio_probe(&dev, VIRTIO0 + slot * VIRTIO_STRIDE, VIRTIO_IRQ0 + slot, ID_BLOCK);
    if (!dev.base) {
        printf("ckernel: no disk\n");
        return;
    }
    if (virtio_start(&dev, 0) < 0 || virtio_queue(&dev, 0, &queue) < 0)
        panic("the disk does not take its queue");
    virtio_ready(&dev);
    disk_irq = dev.irq;
    uint32 sectors = *virtio_reg(&dev, VIRTIO_CONFIG);
    printf("ckernel: disk of %u sectors\n", sectors);
}

/* One sector to or from kernel memory at its physical address; 0 if the device says so. */
int disk_rw(uint32 sector, void *data, int write)
{
    acquiresleep(&one);
    acquire(&lock);
    request.type = write ? BLK_OUT : BLK_IN;
    request.reserved = 0;
    request.sector = sector;
    status = 0xff;
    done = 0;
    queue.desc[0] = (struct vq_desc){(uint32)&request, sizeof(request), DESC_NEXT, 1};
    queue.desc[1] = (struct vq_desc){(uint32)data, 512, DESC_NEXT | (write ? 0 : DESC_WRITE), 2};
    queue.desc[2] = (struct vq_desc){(uint32)&status, 1, DESC_WRITE, 0};
    virtio_submit(&dev, 0, &queue, 0);
    while (!done)
        sleep((void *)&done, &lock);
    int result = status == 0 ? 0 : -1;
    release(&lock);
    releasesleep(&one);
    return result;
}

void diskintr(void)
{
    acquire(&lock);
    *virtio_reg(&dev, VIRTIO_INTERRUPT_ACK) = *virtio_reg(&dev, VIRTIO_INTERRUPT_STATUS) & 3;
    __sync_synchronize();
    while (seen != *(volatile uint16 *)&queue.used.idx) {
        __sync_synchronize();
        if (queue.used.ring[seen % QUEUE_SIZE].id != 0)
            panic("disk: another request is done");
        seen++;
        done = 1;
        wakeup((void *)&done);
    }
    release(&lock);
}
