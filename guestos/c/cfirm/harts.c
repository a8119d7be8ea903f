/* harts.c: starting and stopping harts, interrupts between them, their timers. */
#include "cfirm.h"

void hart_wait(uint32 hart)
{
    struct hart *self = &harts[hart];
    csr_write(mie, IP_MSI);
    while (self->state != START_PENDING)
        wfi();
    MSIP(hart) = 0;
    __sync_synchronize();
    self->state = STARTED;
    enter_supervisor(hart, self->opaque, self->entry);
}

int32 hart_start(uint32 hart, uint32 entry, uint32 opaque)
{
    if (hart >= NHART || !(present >> hart & 1))
        return -3; /* SBI_ERR_INVALID_PARAM */
    if (harts[hart].state != STOPPED)
        return -6; /* SBI_ERR_ALREADY_AVAILABLE */
    harts[hart].entry = entry;
    harts[hart].opaque = opaque;
    __sync_synchronize();
    harts[hart].state = START_PENDING;
    MSIP(hart) = 1;
    return 0;
}

/* To the harts of a mask; fences are waited for. */
int32 send_ipi(uint32 mask, uint32 base, int fence)
{
    uint32 me = csr_read(mhartid);
    for (uint32 hart = 0; hart < NHART; hart++) {
        int named = base == ~0u || (hart >= base && hart - base < 32 && mask >> (hart - base) & 1);
        if (!named || !(present >> hart & 1) || harts[hart].state != STARTED)
            continue;
        if (fence && hart == me) {
            asm volatile("fence.i; sfence.vma" ::: "memory");
            continue;
        }
        *(fence ? &harts[hart].fence : &harts[hart].soft) = 1;
        __sync_synchronize();
        MSIP(hart) = 1;
        while (fence && harts[hart].fence)
            ;
    }
    return 0;
}

void set_timer(uint64 when)
{
    volatile uint32 *cmp = MTIMECMP(csr_read(mhartid));
    cmp[0] = 0xffffffff; /* not in the past while the halves are written */
    cmp[1] = (uint32)(when >> 32);
    cmp[0] = (uint32)when;
    csr_clear(mip, IP_STI);
    csr_set(mie, IP_MTI);
}
