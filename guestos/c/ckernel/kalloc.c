/* kalloc.c: whole pages from the end of the kernel to PHYSTOP, in a list through themselves. */
#include "defs.h"

extern char end[];

struct run {
    struct run *next;
};

static struct {
    struct spinlock lock;
    struct run *free;
    uint32 count;
} kmem;

void kinit(void)
{
    initlock(&kmem.lock, "kmem");
    for (uint32 page = PGROUNDUP((uint32)end); page + PGSIZE <= PHYSTOP; page += PGSIZE)
        kfree((void *)page);
}

void kfree(void *page)
{
    struct run *r = page;
    if ((uint32)page % PGSIZE || (char *)page < end || (uint32)page >= PHYSTOP)
        panic("kfree");
    memset(page, 1, 64); /* a dangling pointer shall not find what it expects */
    acquire(&kmem.lock);
    r->next = kmem.free;
    kmem.free = r;
    kmem.count++;
    release(&kmem.lock);
}

void *kalloc(void)
{
    acquire(&kmem.lock);
    struct run *r = kmem.free;
    if (r) {
        kmem.free = r->next;
        kmem.count--;
    }
    release(&kmem.lock);
    return r;
}

uint32 kfreepages(void)
{
    acquire(&kmem.lock);
    uint32 count = kmem.count;
    release(&kmem.lock);
    return count;
}
