/* process.c: traps, the timer, and one user program. */
#include "cnet.h"

extern char user_start[];

static uint8 stack[PGSIZE] __attribute__((aligned(4096)));
static uint32 interval;
volatile uint32 timer_interrupts;

void timer_every(uint32 ticks)
{
    interval = ticks;
    sbi_set_timer(rdtime() + ticks);
    csr_set(sie, IP_STI);
}

static void plic_interrupt(void)
{
    volatile uint32 *claim = (volatile uint32 *)(board.plic + 0x201004);
    uint32 irq = *claim;
    if (irq && irq == netdev_irq)
        netdev_interrupt();
    if (irq)
        *claim = irq;
}

static int interrupt(uint32 cause)
{
    switch (cause) {
    case CAUSE_INTERRUPT | 5:
        timer_interrupts++;
        sbi_set_timer(rdtime() + interval);
        return 1;
    case CAUSE_INTERRUPT | 9:
        plic_interrupt();
        return 1;
    case CAUSE_INTERRUPT | 1:
        csr_clear(sip, IP_SSI);
        return 1;
    default:
        return 0;
    }
}

void kernel_trap(void)
{
    uint32 cause = csr_read(scause);
    if (!interrupt(cause)) {
        printf("cnet: scause %p sepc %p stval %p\n", (void *)cause, (void *)csr_read(sepc),
               (void *)csr_read(stval));
        panic("a trap in the kernel");
    }
}

/* write(text, length): user memory is read where it lies, with SUM. */
static uint32 sys_write(uint32 from, uint32 length)
{
    char text[80];
    if (from < 0x10000 || length >= sizeof(text) || from + length > 0x11000)
        return (uint32)-1;
    csr_set(sstatus, SSTATUS_SUM);
    memcpy(text, (const void *)from, length);
    csr_clear(sstatus, SSTATUS_SUM);
    text[length] = 0;
    printf("%s", text);
    return length;
}

struct frame *user_trap(struct frame *frame)
{
    uint32 cause = csr_read(scause);
    if (cause == 8) {
        frame->pc += 4;
        switch (frame->x[16]) { /* a7 */
        case 1:
            frame->x[9] = sys_write(frame->x[9], frame->x[10]);
            break;
        case 2:
            leave_user(frame, frame->x[9]);
        case 3:
            frame->x[9] = timer_interrupts;
            break;
        default:
            frame->x[9] = (uint32)-1;
        }
    } else if (!interrupt(cause)) {
        printf("cnet: the user program trapped: scause %p sepc %p stval %p\n", (void *)cause,
               (void *)frame->pc, (void *)csr_read(stval));
        panic("user program");
    }
    return frame;
}

void process(void)
{
    static struct frame frame;
    pagetable_t table = vm_user((uint32)user_start, (uint32)stack);
    uint32 before = timer_interrupts;
    frame.pc = 0x10000;
    frame.x[1] = 0x20000; /* sp */
    frame.status = (csr_read(sstatus) & ~(SSTATUS_SPP | SSTATUS_SIE)) | SSTATUS_SPIE;
    vm_use(table, 1);
    intr_off();
    uint32 code = run_user(&frame);
    csr_write(sscratch, 0);
    vm_use(kernel_table, 0);
    intr_on();
    printf("cnet: the user program ends with %p, interrupted by the timer: %s\n", (void *)code,
           timer_interrupts != before ? "yes" : "no");
}
