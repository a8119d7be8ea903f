/* start.c: M-mode prepares the hart and leaves for main() in S-mode. */
#include "defs.h"

void main(void);
void timervec(void);
void mpanic(void);

__attribute__((aligned(16))) char stack0[4096 * NCPU];

#define INTERVAL 20000u /* ticks of 10 MHz between timer interrupts: 2 ms */

static uint32 timer_scratch[NCPU][6];

/* mtimecmp has 64 bits and stores have 32: never let the deadline be in the past between them. */
static void timerinit(void)
{
    uint32 hart = csr_read(mhartid);
    volatile uint32 *now = (volatile uint32 *)CLINT_MTIME;
    volatile uint32 *cmp = (volatile uint32 *)CLINT_MTIMECMP(hart);
    uint32 high, low;
    do {
        high = now[1];
        low = now[0];
    } while (high != now[1]);
    uint64 first = ((uint64)high << 32 | low) + INTERVAL;
    cmp[0] = 0xffffffff;
    cmp[1] = (uint32)(first >> 32);
    cmp[0] = (uint32)first;

    timer_scratch[hart][4] = (uint32)cmp;
    timer_scratch[hart][5] = INTERVAL;
    csr_write(mscratch, timer_scratch[hart]);
    csr_write(mtvec, timervec);
    csr_set(mstatus, MSTATUS_MIE);
    csr_set(mie, IP_MTI);
}

void start(void)
{
    csr_write(mtvec, mpanic);
    uint32 status = csr_read(mstatus);
    csr_write(mstatus, (status & ~MSTATUS_MPP_MASK) | MSTATUS_MPP_S);
    csr_write(mepc, main);
    csr_write(satp, 0);
    csr_write(medeleg, 0xffff);
    csr_write(mideleg, 0xffff);
    csr_set(sie, IP_SEI | IP_STI | IP_SSI);
    csr_write(pmpaddr0, 0xffffffff); /* TOR from 0: S-mode may use everything */
    csr_write(pmpcfg0, 0x0f);
    csr_set(mcounteren, 2); /* time */
    timerinit();
    w_tp(csr_read(mhartid));
    asm volatile("mret");
}
