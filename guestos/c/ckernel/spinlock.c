/* spinlock.c: amoswap locks with interrupts off, and locks that sleep. */
#include "defs.h"

void initlock(struct spinlock *lk, const char *name)
{
    lk->name = name;
    lk->locked = 0;
    lk->cpu = NULL;
}

void acquire(struct spinlock *lk)
{
    push_off();
    if (holding(lk))
        panic(lk->name);
    while (__sync_lock_test_and_set(&lk->locked, 1) != 0)
        ;
    __sync_synchronize();
    lk->cpu = mycpu();
}

void release(struct spinlock *lk)
{
    if (!holding(lk))
        panic(lk->name);
    lk->cpu = NULL;
    __sync_synchronize();
    __sync_lock_release(&lk->locked);
    pop_off();
}

int holding(struct spinlock *lk)
{
    return lk->locked && lk->cpu == mycpu();
}

void push_off(void)
{
    int old = intr_get();
    intr_off();
    if (mycpu()->noff == 0)
        mycpu()->intena = old;
    mycpu()->noff++;
}

void pop_off(void)
{
    struct cpu *c = mycpu();
    if (intr_get() || c->noff < 1)
        panic("pop_off");
    if (--c->noff == 0 && c->intena)
        intr_on();
}

void initsleeplock(struct sleeplock *lk, const char *name)
{
    initlock(&lk->lk, name);
    lk->locked = 0;
}

void acquiresleep(struct sleeplock *lk)
{
    acquire(&lk->lk);
    while (lk->locked)
        sleep(lk, &lk->lk);
    lk->locked = 1;
    release(&lk->lk);
}

void releasesleep(struct sleeplock *lk)
{
    acquire(&lk->lk);
    lk->locked = 0;
    wakeup(lk);
    release(&lk->lk);
}
