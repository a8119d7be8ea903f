/* Product of two 96 x 96 matrices of 32-bit integers: multiplication and strides. */
#include "work.h"

enum { N = 96 };

static u32 a[N][N], b[N][N], c[N][N];

int work(void)
{
    u32 seed = 1, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = seed = next_random(seed);
            b[i][j] = seed = next_random(seed);
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            u32 dot = 0;
            for (int k = 0; k < N; k++)
                dot += a[i][k] * b[k][j];
            c[i][j] = dot;
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = sum * 31 + c[i][j];
    return sum != 0x88ce8000;
}
