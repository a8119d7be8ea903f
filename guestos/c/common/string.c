/* string.c: memory and strings, byte by byte or word by word. */
#include "lib.h"

void *memset(void *to, int value, uint32 n)
{
    uint8 *at = to;
    while (n && ((uint32)at & 3)) {
        *at++ = (uint8)value;
        n--;
    }
    uint32 word = (uint8)value * 0x01010101u;
    for (; n >= 4; n -= 4, at += 4)
        *(volatile uint32 *)at = word;
    while (n--)
        *at++ = (uint8)value;
    return to;
}

void *memmove(void *to, const void *from, uint32 n)
{
    uint8 *d = to;
    const uint8 *s = from;
    if (s < d && s + n > d) {
        s += n;
        d += n;
        while (n-- > 0)
            *--d = *--s;
    } else {
        while (n-- > 0)
            *d++ = *s++;
    }
    return to;
}

/* Whole words, aligned or not: the machine handles misaligned accesses. */
void *memcpy(void *to, const void *from, uint32 n)
{
    uint8 *d = to;
    const uint8 *s = from;
    for (; n >= 4; n -= 4, d += 4, s += 4)
        *(volatile uint32 *)d = *(const volatile uint32 *)s;
    while (n-- > 0)
        *d++ = *s++;
    return to;
}

int memcmp(const void *a, const void *b, uint32 n)
{
    const uint8 *p = a, *q = b;
    for (; n-- > 0; p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

uint32 strlen(const char *text)
{
    uint32 n = 0;
    while (text[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8)*a - (uint8)*b;
}

int strncmp(const char *a, const char *b, uint32 n)
{
    for (; n > 0; n--, a++, b++)
        if (!*a || *a != *b)
            return (uint8)*a - (uint8)*b;
    return 0;
}

char *safestrcpy(char *to, const char *from, uint32 room)
{
    char *start = to;
    if (!room)
        return start;
    while (--room > 0 && (*to++ = *from++) != 0)
        ;
    *to = 0;
    return start;
}
