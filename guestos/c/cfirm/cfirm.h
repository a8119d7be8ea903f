/* cfirm.h: a small SBI firmware: its parts, the board, and the state of each hart. */
#ifndef CFIRM_H
#define CFIRM_H

#include "../common/lib.h"
#include "../common/riscv.h"
#include "../common/types.h"

#define NHART 8
#define KERNEL 0x80400000u
#define UART0 0x10000000u
#define FINISHER 0x100000u
#define CLINT 0x2000000u
#define MSIP(hart) (*(volatile uint32 *)(CLINT + 4 * (hart)))
#define MTIMECMP(hart) ((volatile uint32 *)(CLINT + 0x4000 + 8 * (hart)))

struct frame {
    uint32 unused;
    uint32 x[31]; /* x1 to x31: a0 is x[9] */
};

enum { STARTED, STOPPED, START_PENDING };

struct hart {
    volatile uint32 state;
    volatile uint32 entry, opaque;
    volatile uint32 fence, soft; /* what an M-mode software interrupt is for */
};

struct answer {
    int32 error;
    uint32 value;
    int legacy; /* only a0 changes */
};

extern struct hart harts[NHART];
extern volatile uint32 present; /* a bit for each hart that has come through firmware() */

struct answer sbi_call(struct frame *frame);
void hart_wait(uint32 hart) __attribute__((noreturn));
void enter_supervisor(uint32 hart, uint32 opaque, uint32 entry) __attribute__((noreturn));
int32 hart_start(uint32 hart, uint32 entry, uint32 opaque);
int32 send_ipi(uint32 mask, uint32 base, int fence);
void set_timer(uint64 when);
void uart_put(int c);
int uart_get(void);

#endif
