/* lib.h: what a C program without a C library needs: strings, formatted text. */
#ifndef LIB_H
#define LIB_H

#include "types.h"

void *memset(void *to, int value, uint32 n);
void *memcpy(void *to, const void *from, uint32 n);
void *memmove(void *to, const void *from, uint32 n);
int memcmp(const void *a, const void *b, uint32 n);
uint32 strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, uint32 n);
char *safestrcpy(char *to, const char *from, uint32 room);

/* Formats into put(); knows %d %u %x %08x %llu %llx %s %c %p %%. */
void format(void (*put)(int c, void *to), void *to, const char *text, __builtin_va_list ap);

uint64 __udivdi3(uint64 a, uint64 b);
uint64 __umoddi3(uint64 a, uint64 b);

#endif
