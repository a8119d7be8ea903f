/* fault.c: does one forbidden thing, chosen by its argument; the kernel must end it. */
#include "user.h"

static void overflow(int depth)
{
    volatile char room[256];
    room[0] = (char)depth;
    overflow(depth + 1);
    room[1] = room[0];
}

int main(int argc, char **argv)
{
    volatile uint32 *nowhere = (volatile uint32 *)0x40000000;
    switch (argc > 1 ? argv[1][0] : '?') {
    case 'l':
        return (int)*(volatile uint32 *)0;
    case 's':
        *nowhere = 1;
        break;
    case 'k':
        return (int)*(volatile uint32 *)0x80000000;
    case 't':
        *(volatile uint32 *)main = 0;
        break;
    case 'x': {
        static uint32 code[2] = {0x00000013, 0x00008067}; /* nop, ret: in data */
        asm volatile("fence.i");
        ((void (*)(void))code)();
        break;
    }
    case 'c':
        asm volatile("csrr zero, sstatus");
        break;
    case 'w':
        asm volatile("wfi");
        break;
    case 'b':
        asm volatile("ebreak");
        break;
    case 'a': {
        uint32 result;
        asm volatile("lr.w %0, (%1)" : "=r"(result) : "r"((uint32)sbrk(16) + 1));
        return (int)result;
    }
    case 'o':
        overflow(0);
        break;
    case 'j':
        ((void (*)(void))0x30000000)();
        break;
    }
    return 0;
}
