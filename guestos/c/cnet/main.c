/* main.c: an S-mode kernel above an SBI: what it finds, other harts, a user program, the network. */
#include "cnet.h"

#define STACK 4096

void secondary_start(void);

static uint8 stacks[8][STACK] __attribute__((aligned(16)));
static uint32 counter, arrived;
static uint32 lock;

/* Other harts: each adds a thousand under a lock, then stops itself. */
void secondary(uint32 hart)
{
    (void)hart;
    for (int i = 0; i < 1000; i++) {
        while (__sync_lock_test_and_set(&lock, 1))
            ;
        counter++;
        __sync_lock_release(&lock);
    }
    __sync_fetch_and_add(&arrived, 1);
    sbi(SBI_HSM, 1, 0, 0, 0);
    for (;;)
        wfi();
}

static void other_harts(uint32 me)
{
    uint32 started = 0;
    if (board.harts < 2 || !sbi_has(SBI_HSM))
        return;
    for (uint32 hart = 0; hart < board.harts && hart < 8; hart++) {
        uint32 top = (uint32)stacks[hart] + STACK;
        if (hart != me && sbi(SBI_HSM, 0, hart, (uint32)secondary_start, top).error == 0)
            started++;
    }
    while (*(volatile uint32 *)&arrived < started)
        ;
    printf("cnet: %u other harts counted to %u\n", started, counter);
}

void main(uint32 hart, const void *tree)
{
    console_start();
    if (fdt_read(tree) < 0)
        panic("no device tree");
    printf("cnet: RAM %p, %u MiB; %u hart%s, clock %u Hz\n", (void *)board.ram,
           board.ram_size >> 20, board.harts, board.harts == 1 ? "" : "s", board.timebase);
    printf("cnet: uart %p irq %u, plic %p, %u virtio slots\n", (void *)board.uart, board.uart_irq,
           (void *)board.plic, board.slots);
    if (board.bootargs[0])
        printf("cnet: arguments: %s\n", board.bootargs);
    struct sbiret version = sbi(SBI_BASE, 0, 0, 0, 0);
    printf("cnet: SBI %u\n", version.value >> 24);
    csr_write(sscratch, 0);
    csr_write(stvec, trap_vector);
    vm_start();
    other_harts(hart);
    timer_every(board.timebase / 1000);
    intr_on();
    uint64 start = rdtime();
    uint32 before = timer_interrupts;
    while (timer_interrupts - before < 5)
        wfi();
    printf("cnet: five timer interrupts took at least 4 ms: %s\n",
           rdtime() - start >= 4ull * (board.timebase / 1000) ? "yes" : "no");
    process();
    if (netdev_start() < 0)
        printf("cnet: no network card\n");
    else
        net_serve();
    printf("cnet: done\n");
    sbi_off(0);
}
