/* sbi.c: calls to the firmware (SBI 1.0). */
#include "cnet.h"

#define SBI_TIME 0x54494d45
#define SBI_SRST 0x53525354

struct sbiret sbi(uint32 extension, uint32 function, uint32 a0, uint32 a1, uint32 a2)
{
    register uint32 r0 asm("a0") = a0;
    register uint32 r1 asm("a1") = a1;
    register uint32 r2 asm("a2") = a2;
    register uint32 r6 asm("a6") = function;
    register uint32 r7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r6), "r"(r7) : "memory");
    return (struct sbiret){(int32)r0, r1};
}

int sbi_has(uint32 extension)
{
    struct sbiret answer = sbi(SBI_BASE, 3, extension, 0, 0);
    return answer.error == 0 && answer.value != 0;
}

void sbi_set_timer(uint64 ticks)
{
    if (sbi(SBI_TIME, 0, (uint32)ticks, (uint32)(ticks >> 32), 0).error)
        sbi(0, 0, (uint32)ticks, (uint32)(ticks >> 32), 0); /* the legacy call */
}

void sbi_off(int failed)
{
    sbi(SBI_SRST, 0, 0, failed ? 1 : 0, 0);
    sbi(8, 0, 0, 0, 0);
    for (;;)
        wfi();
}
