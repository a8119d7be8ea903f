/* plic.c: device interrupts go to S-mode of every hart. */
#include "defs.h"

#define REG(address) (*(volatile uint32 *)(address))

void plicinit(void)
{
    REG(PLIC_PRIORITY(UART0_IRQ)) = 1;
    if (disk_present())
        REG(PLIC_PRIORITY(disk_irq)) = 1;
}

void plicinithart(void)
{
    uint32 hart = r_tp();
    uint32 enable = 1u << UART0_IRQ;
    for (int slot = 0; slot < VIRTIO_SLOTS; slot++)
        enable |= 1u << (VIRTIO_IRQ0 + slot);
    REG(PLIC_SENABLE(hart)) = enable;
    REG(PLIC_STHRESHOLD(hart)) = 0;
}
