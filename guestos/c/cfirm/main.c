/* main.c: what firmware does before a kernel: protection, delegation, clock, then S-mode. */
#include "cfirm.h"

struct hart harts[NHART];
uint32 present;

static void banner_put(int c, void *to)
{
    (void)to;
    uart_put(c);
}

static void say(const char *text, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, text);
    format(banner_put, NULL, text, ap);
    __builtin_va_end(ap);
}

static void prepare(void)
{
    /* The firmware's 256 KiB are closed, everything else is open (the lowest entry decides). */
    csr_write(pmpaddr0, (0x80000000u >> 2) | ((0x40000u >> 3) - 1));
    csr_write(pmpaddr1, 0xffffffff);
    csr_write(pmpcfg0, 0x1f18); /* NAPOT without rights; NAPOT with all */
    csr_write(medeleg, 0xb1ff);
    csr_write(mideleg, IP_SSI | IP_STI | IP_SEI);
    csr_write(mcounteren, 7);
    csr_write(scounteren, 7);
    csr_write(satp, 0);
    csr_write(mie, IP_MSI);
}

void firmware(uint32 hart, const void *tree)
{
    prepare();
    MTIMECMP(hart)[1] = 0xffffffff;
    __sync_fetch_and_or(&present, 1u << hart);
    if (hart != 0) {
        harts[hart].state = STOPPED;
        hart_wait(hart);
    }
    harts[0].state = STARTED;
    say("cfirm: SBI 1.0, kernel at %p\n", (void *)KERNEL);
    enter_supervisor(hart, (uint32)tree, KERNEL);
}
