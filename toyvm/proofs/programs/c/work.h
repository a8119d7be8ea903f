/* Six programs that are measured: each does a piece of work and checks its own result.
 *
 * work() returns 0 if the result is right.  main() does it `work_scale` times, a word that the
 * benchmark writes into the ELF file, so one file serves for every length of run.
 */
#ifndef WORK_H
#define WORK_H

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

int work(void);

/* The next number of a linear congruential generator (Numerical Recipes' constants). */
static inline u32 next_random(u32 seed) { return seed * 1664525u + 1013904223u; }

#endif
