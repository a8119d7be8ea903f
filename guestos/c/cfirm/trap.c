/* trap.c: what arrives in M-mode: calls, the timer, interrupts from other harts. */
#include "cfirm.h"

void uart_put(int c)
{
    while (!(*(volatile uint8 *)(UART0 + 5) & 0x20))
        ;
    *(volatile uint8 *)UART0 = (uint8)c;
}

int uart_get(void)
{
    return *(volatile uint8 *)(UART0 + 5) & 1 ? *(volatile uint8 *)UART0 : -1;
}

static void software_interrupt(void)
{
    uint32 hart = csr_read(mhartid);
    MSIP(hart) = 0;
    __sync_synchronize();
    if (harts[hart].fence) {
        asm volatile("fence.i; sfence.vma" ::: "memory");
        harts[hart].fence = 0;
    }
    if (harts[hart].soft) {
        harts[hart].soft = 0;
        csr_set(mip, IP_SSI);
    }
}

/* An exception that was not delegated is the kernel's own. */
static void redirect(uint32 cause)
{
    uint32 status = csr_read(mstatus);
    csr_write(scause, cause);
    csr_write(sepc, csr_read(mepc));
    csr_write(stval, csr_read(mtval));
    csr_write(mepc, csr_read(stvec) & ~3u);
    uint32 now = status & ~(MSTATUS_MPP_MASK | SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    now |= MSTATUS_MPP_S | (status & SSTATUS_SIE ? SSTATUS_SPIE : 0);
    now |= (status & MSTATUS_MPP_MASK) == MSTATUS_MPP_S ? SSTATUS_SPP : 0;
    csr_write(mstatus, now);
}

void m_trap(struct frame *frame)
{
    uint32 cause = csr_read(mcause);
    switch (cause) {
    case CAUSE_INTERRUPT | 7:
        csr_clear(mie, IP_MTI);
        csr_set(mip, IP_STI);
        break;
    case CAUSE_INTERRUPT | 3:
        software_interrupt();
        break;
    case 9: {
        csr_write(mepc, csr_read(mepc) + 4);
        struct answer answer = sbi_call(frame);
        frame->x[9] = (uint32)answer.error;
        if (!answer.legacy)
            frame->x[10] = answer.value;
        break;
    }
    default:
        redirect(cause);
    }
}
