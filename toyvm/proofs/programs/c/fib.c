/* Fibonacci numbers the naive way: calls, returns and the stack. */
#include "work.h"

__attribute__((noinline)) static u32 fib(u32 n)
{
    /* The barriers keep the compiler from turning one of the calls into a loop. */
    if (n < 2)
        return n;
    u32 first = fib(n - 1);
    __asm__ volatile("" : "+r"(first));
    u32 second = fib(n - 2);
    __asm__ volatile("" : "+r"(second));
    return first + second;
}

int work(void)
{
    return fib(24) != 46368;
}
