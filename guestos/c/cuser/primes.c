/* primes.c: ends with the number of primes below its argument. */
#include "user.h"

int main(int argc, char **argv)
{
    uint32 limit = 0;
    if (argc < 2)
        return -1;
    for (const char *digit = argv[1]; *digit; digit++)
        limit = limit * 10 + (uint32)(*digit - '0');
    uint8 *composite = sbrk((int)limit);
    if (composite == (void *)-1)
        return -1;
    int count = 0;
    for (uint32 n = 2; n < limit; n++) {
        if (composite[n])
            continue;
        count++;
        for (uint32 m = n * n; m < limit && n < 0x10000; m += n)
            composite[m] = 1;
    }
    return count;
}
