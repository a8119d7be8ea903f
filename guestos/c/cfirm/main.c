/* main.c: what firmware does before a kernel: protection, delegation, clock, then S-mode. */
#include "cfirm.h"

struct hart harts[NHART];
volatile uint32 present;

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

/* A bit for each hart of the board: its mtimecmp keeps what is written. */
static uint32 harts_of_board(void)
{
    uint32 found = 0;
    for (uint32 hart = 0; hart < NHART; hart++) {
        MTIMECMP(hart)[1] = 0xffffffff;
        if (MTIMECMP(hart)[1] == 0xffffffff)
            found |= 1u << hart;
    }
    return found;
}

void firmware(uint32 hart, const void *tree)
{
    prepare();
    MTIMECMP(hart)[1] = 0xffffffff;
    harts[hart].state = hart == 0 ? STARTED : STOPPED;
    __sync_fetch_and_or(&present, 1u << hart);
    if (hart != 0)
        hart_wait(hart);
    /* The kernel may ask for any of them, and an emulator may run this hart long before others. */
    uint32 all = harts_of_board();
    while (present != all)
        ;
    say("cfirm: SBI 1.0, kernel at %p\n", (void *)KERNEL);
    enter_supervisor(hart, (uint32)tree, KERNEL);
}
