/* trap.c: traps from user programs, from the kernel, and what devices want. */
#include "defs.h"

struct spinlock tickslock;
uint32 ticks;

void kernelvec(void);
extern char trampoline[], uservec[], userret[];

static const char *const cause_names[] = {
    "misaligned jump", "fetch access fault", "illegal instruction", "breakpoint",
    "misaligned load", "load access fault",  "misaligned store",    "store access fault",
    "system call",     "call from S",        "cause 10",            "call from M",
    "fetch page fault", "load page fault",   "cause 14",            "store page fault",
};

void trapinithart(void)
{
    if (r_tp() == 0)
        initlock(&tickslock, "time");
    csr_write(stvec, kernelvec);
}

static void clockintr(void)
{
    acquire(&tickslock);
    ticks++;
    wakeup(&ticks);
    release(&tickslock);
}

/* 2: the timer, 1: another device, 0: no interrupt that we know. */
static int devintr(void)
{
    uint32 cause = csr_read(scause);
    if (cause == (CAUSE_INTERRUPT | 9)) {
        volatile uint32 *claim = (volatile uint32 *)PLIC_SCLAIM(r_tp());
        uint32 irq = *claim;
        if (irq == UART0_IRQ)
            uartintr();
        else if (irq && irq == disk_irq)
            diskintr();
        else if (irq)
            printf("unexpected interrupt %u\n", irq);
        if (irq)
            *claim = irq;
        return 1;
    }
    if (cause == (CAUSE_INTERRUPT | 1)) { /* raised by timervec in M-mode */
        if (r_tp() == 0)
            clockintr();
        csr_clear(sip, IP_SSI);
        return 2;
    }
    return 0;
}

static void usertrap(void)
{
    int which = 0;
    if (csr_read(sstatus) & SSTATUS_SPP)
        panic("usertrap: not from user mode");
    csr_write(stvec, kernelvec);
    struct proc *p = myproc();
    p->trapframe->epc = csr_read(sepc);
    uint32 cause = csr_read(scause);
    if (cause == 8) {
        p->trapframe->epc += 4;
        intr_on();
        syscall();
    } else if ((which = devintr()) == 0) {
        const char *name = cause < ARRAY_SIZE(cause_names) ? cause_names[cause] : "unknown trap";
        uint32 value = csr_read(stval);
        if (cause == 2)
            printf("ckernel: process %d (%s): %s %p: ended\n", p->pid, p->name, name,
                   (void *)value);
        else if (cause == 3) /* stval may be zero or the pc */
            printf("ckernel: process %d (%s): %s: ended\n", p->pid, p->name, name);
        else
            printf("ckernel: process %d (%s): %s, page %p: ended\n", p->pid, p->name, name,
                   (void *)PGROUNDDOWN(value));
        exit(-1);
    }
    if (which == 2)
        yield();
    usertrapret();
}

void usertrapret(void)
{
    struct proc *p = myproc();
    intr_off();
    csr_write(stvec, TRAMPOLINE + (uint32)(uservec - trampoline));
    p->trapframe->kernel_satp = csr_read(satp);
    p->trapframe->kernel_sp = p->kstack + PGSIZE;
    p->trapframe->kernel_trap = (uint32)usertrap;
    p->trapframe->kernel_hartid = r_tp();
    uint32 status = csr_read(sstatus);
    csr_write(sstatus, (status & ~SSTATUS_SPP) | SSTATUS_SPIE);
    csr_write(sepc, p->trapframe->epc);
    uint32 satp = MAKE_SATP(p->pagetable, p->pid & 0x1ff);
    ((void (*)(uint32))(TRAMPOLINE + (uint32)(userret - trampoline)))(satp);
}

void kerneltrap(void)
{
    uint32 epc = csr_read(sepc);
    uint32 status = csr_read(sstatus);
    if (!(status & SSTATUS_SPP))
        panic("kerneltrap: not from S-mode");
    if (intr_get())
        panic("kerneltrap: interrupts are on");
    int which = devintr();
    if (which == 0) {
        printf("scause %p sepc %p stval %p\n", (void *)csr_read(scause), (void *)epc,
               (void *)csr_read(stval));
        panic("kerneltrap");
    }
    struct proc *p = mycpu()->proc;
    if (which == 2 && p && p->state == RUNNING)
        yield();
    csr_write(sepc, epc);
    csr_write(sstatus, status);
}
