/* Sieve of Eratosthenes: byte stores with growing strides. */
#include "work.h"

enum { LIMIT = 1 << 18, PRIMES = 23000 };

static u8 composite[LIMIT];

int work(void)
{
    u32 primes = 0;

    for (u32 i = 0; i < LIMIT; i++)
        composite[i] = 0;
    for (u32 i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        primes++;
        for (u32 j = i + i; j < LIMIT; j += i)
            composite[j] = 1;
    }
    return primes != PRIMES;
}
