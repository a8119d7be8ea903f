/* console.c: lines from the keyboard, text to the screen, printf and panic. */
#include "defs.h"

#define INPUT 128

volatile int panicked;

static struct {
    struct spinlock lock;
    char buf[INPUT];
    uint32 r, w, e; /* read, written (whole lines), edited */
} cons;

static struct spinlock print_lock;

void consoleinit(void)
{
    initlock(&cons.lock, "cons");
    initlock(&print_lock, "print");
    uartinit();
}

int consolewrite(uint32 src, uint32 n)
{
    for (uint32 i = 0; i < n; i++) {
        char c;
        if (copyin(myproc()->pagetable, &c, src + i, 1) < 0)
            return (int)i;
        uartputc(c);
    }
    return (int)n;
}

/* Up to a whole line. */
int consoleread(uint32 dst, uint32 n)
{
    uint32 wanted = n;
    acquire(&cons.lock);
    while (n > 0) {
        while (cons.r == cons.w)
            sleep(&cons.r, &cons.lock);
        char c = cons.buf[cons.r++ % INPUT];
        if (copyout(myproc()->pagetable, dst, &c, 1) < 0)
            break;
        dst++;
        n--;
        if (c == '\n')
            break;
    }
    release(&cons.lock);
    return (int)(wanted - n);
}

/* A character has arrived. Backspace edits; a newline wakes the reader. */
void consoleintr(int c)
{
    acquire(&cons.lock);
    if (c == '\b' || c == 0x7f) {
        if (cons.e != cons.w)
            cons.e--;
    } else if (c != 0 && cons.e - cons.r < INPUT) {
        c = c == '\r' ? '\n' : c;
        cons.buf[cons.e++ % INPUT] = (char)c;
        if (c == '\n' || cons.e == cons.r + INPUT) {
            cons.w = cons.e;
            wakeup(&cons.r);
        }
    }
    release(&cons.lock);
}

static void put(int c, void *to)
{
    (void)to;
    uartputc_sync(c);
}

void printf(const char *text, ...)
{
    __builtin_va_list ap;
    int locking = !panicked;
    if (locking)
        acquire(&print_lock);
    uartflush();
    __builtin_va_start(ap, text);
    format(put, NULL, text, ap);
    __builtin_va_end(ap);
    if (locking)
        release(&print_lock);
}

void poweroff(int code)
{
    uartflush();
    *(volatile uint32 *)FINISHER = code ? (uint32)code << 16 | FINISHER_FAIL : FINISHER_PASS;
    for (;;)
        wfi();
}

void panic(const char *why)
{
    intr_off();
    panicked = 1;
    printf("panic: %s\n", why);
    poweroff(70);
}
