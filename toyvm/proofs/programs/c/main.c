/* Do the work as often as asked.  Natively the number is the first argument. */
#include "work.h"

#ifdef NATIVE
#include <stdlib.h>

int main(int argc, char **argv)
{
    u32 times = argc > 1 ? (u32)strtoul(argv[1], 0, 10) : 1;
#else
volatile u32 work_scale __attribute__((section(".data.control"))) = 1;

int main(void)
{
    u32 times = work_scale;
#endif
    for (u32 i = 0; i < times; i++)
        if (work() != 0)
            return 1;
    return 0;
}
