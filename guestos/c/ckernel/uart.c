/* uart.c: the 16550A: interrupts in both directions, and a synchronous way out for the kernel. */
#include "defs.h"

#define REG(n) (*((volatile uint8 *)UART0 + (n)))
#define RHR 0
#define THR 0
#define IER 1
#define FCR 2
#define ISR 2
#define LCR 3
#define LSR 5
#define LSR_RX_READY 0x01
#define LSR_TX_IDLE 0x20

#define TX_SIZE 64

static struct spinlock tx_lock;
static char tx_buf[TX_SIZE];
static uint32 tx_w, tx_r;

void uartinit(void)
{
    REG(IER) = 0x00;
    REG(LCR) = 0x80; /* divisor: 38.4 kbaud */
    REG(0) = 0x03;
    REG(1) = 0x00;
    REG(LCR) = 0x03; /* eight bits, no parity */
    REG(FCR) = 0x07; /* FIFOs on and empty */
    REG(IER) = 0x03; /* interrupts: transmitter empty, received */
    initlock(&tx_lock, "uart");
}

/* Send what is waiting; called with tx_lock held. */
static void uartstart(void)
{
    while (tx_w != tx_r && (REG(LSR) & LSR_TX_IDLE)) {
        REG(THR) = tx_buf[tx_r++ % TX_SIZE];
        wakeup(&tx_r);
    }
}

/* For processes: sleeps while the buffer is full. */
void uartputc(int c)
{
    acquire(&tx_lock);
    while (tx_w == tx_r + TX_SIZE)
        sleep(&tx_r, &tx_lock);
    tx_buf[tx_w++ % TX_SIZE] = (char)c;
    uartstart();
    release(&tx_lock);
}

/* For the kernel: waits for the device, behind what processes wrote before. */
void uartputc_sync(int c)
{
    push_off();
    while (!(REG(LSR) & LSR_TX_IDLE))
        ;
    REG(THR) = (uint8)c;
    pop_off();
}

void uartflush(void)
{
    if (panicked)
        return;
    acquire(&tx_lock);
    while (tx_w != tx_r)
        uartstart();
    release(&tx_lock);
}

void uartintr(void)
{
    while (REG(LSR) & LSR_RX_READY)
        consoleintr(REG(RHR));
    acquire(&tx_lock);
    uartstart();
    release(&tx_lock);
}
