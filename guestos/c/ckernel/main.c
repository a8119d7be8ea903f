/* main.c: S-mode begins here; hart 0 prepares everything, the others wait for it. */
#include "defs.h"

static volatile int started;

void main(void)
{
    if (r_tp() == 0) {
        consoleinit();
        printf("ckernel: M-mode start, Sv32, processes, files\n");
        kinit();
        kvminit();
        kvminithart();
        procinit();
        trapinithart();
        diskinit();
        plicinit();
        plicinithart();
        userinit();
        __sync_synchronize();
        started = 1;
    } else {
        while (!started)
            ;
        __sync_synchronize();
        kvminithart();
        trapinithart();
        plicinithart();
    }
    scheduler();
}
