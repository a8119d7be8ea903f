/* An interpreter of a small stack machine that counts Collatz steps: indirect jumps. */
#include "work.h"

enum { PUSH, DUP, ADD, MUL, AND, HALF, EQ, LESS, JZ, JNZ, JMP, LOAD, STORE, HALT };
enum { N, START, TOTAL, VARIABLES };
enum { STARTS = 300 };

struct instruction {
    u16 code;
    u16 argument;
};

/* Steps from each of 1 ... STARTS - 1 down to 1, added up. */
static const struct instruction program[] = {
    /*  0 */ {PUSH, 1}, {STORE, START}, {PUSH, 0}, {STORE, TOTAL},
    /*  4 */ {LOAD, START}, {STORE, N},
    /*  6 */ {LOAD, N}, {PUSH, 1}, {EQ, 0}, {JNZ, 30},
    /* 10 */ {LOAD, TOTAL}, {PUSH, 1}, {ADD, 0}, {STORE, TOTAL},
    /* 14 */ {LOAD, N}, {PUSH, 1}, {AND, 0}, {JZ, 23},
    /* 18 */ {LOAD, N}, {PUSH, 3}, {MUL, 0}, {PUSH, 1}, {JMP, 27},
    /* 23 */ {LOAD, N}, {HALF, 0}, {JMP, 28}, {HALT, 0},
    /* 27 */ {ADD, 0}, {STORE, N}, {JMP, 6},
    /* 30 */ {LOAD, START}, {PUSH, 1}, {ADD, 0}, {DUP, 0}, {STORE, START},
    /* 35 */ {PUSH, STARTS}, {LESS, 0}, {JNZ, 4}, {HALT, 0},
};

__attribute__((noinline)) static u32 interpret(const struct instruction *pc)
{
    const struct instruction *const first = pc;
    u32 stack[16], variables[VARIABLES], *top = stack;

    for (;;) {
        struct instruction now = *pc++;
        switch (now.code) {
        case PUSH: *++top = now.argument; break;
        case DUP: top++; top[0] = top[-1]; break;
        case ADD: top--; top[0] += top[1]; break;
        case MUL: top--; top[0] *= top[1]; break;
        case AND: top--; top[0] &= top[1]; break;
        case HALF: top[0] >>= 1; break;
        case EQ: top--; top[0] = top[0] == top[1]; break;
        case LESS: top--; top[0] = top[0] < top[1]; break;
        case JZ: if (!*top--) pc = first + now.argument; break;
        case JNZ: if (*top--) pc = first + now.argument; break;
        case JMP: pc = first + now.argument; break;
        case LOAD: *++top = variables[now.argument]; break;
        case STORE: variables[now.argument] = *top--; break;
        default: return variables[TOTAL];
        }
    }
}

int work(void)
{
    return interpret(program) != 14151;
}
