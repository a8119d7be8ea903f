/* div64.c: 64-bit division, which RV32IM has no instruction for and libgcc would bring. */
#include "lib.h"

static uint64 divide(uint64 a, uint64 b, uint64 *rest)
{
    uint64 quotient = 0, left = 0;
    if (b == 0) {
        *rest = a;
        return ~0ull;
    }
    if ((a >> 32) == 0 && (b >> 32) == 0) {
        *rest = (uint32)a % (uint32)b;
        return (uint32)a / (uint32)b;
    }
    for (int bit = 63; bit >= 0; bit--) {
        left = left << 1 | (a >> bit & 1);
        if (left >= b) {
            left -= b;
            quotient |= 1ull << bit;
        }
    }
    *rest = left;
    return quotient;
}

uint64 __udivdi3(uint64 a, uint64 b)
{
    uint64 rest;
    return divide(a, b, &rest);
}

uint64 __umoddi3(uint64 a, uint64 b)
{
    uint64 rest;
    divide(a, b, &rest);
    return rest;
}
