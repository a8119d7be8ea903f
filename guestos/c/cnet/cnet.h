/* cnet.h: what the parts of the kernel give each other. */
#ifndef CNET_H
#define CNET_H

#include "../common/lib.h"
#include "../common/riscv.h"
#include "../common/types.h"
#include "../common/virtio.h"

/* Its offsets are in vector.S. */
struct frame {
    uint32 pc;
    uint32 x[31]; /* x1 to x31 */
    uint32 status;  /* 128 */
    uint32 cause;   /* 132 */
    uint32 kernel_sp; /* 136 */
};

struct board {
    uint32 ram, ram_size;
    uint32 harts, timebase;
    uint32 uart, uart_irq;
    uint32 plic;
    uint32 slots;
    uint32 slot[16], slot_irq[16];
    char bootargs[64];
};

extern struct board board;

/* fdt.c */
int fdt_read(const void *tree);

/* sbi.c */
struct sbiret {
    int32 error;
    uint32 value;
};
struct sbiret sbi(uint32 extension, uint32 function, uint32 a0, uint32 a1, uint32 a2);
int sbi_has(uint32 extension);
void sbi_set_timer(uint64 ticks);
void sbi_off(int failed) __attribute__((noreturn));
#define SBI_HSM 0x48534d
#define SBI_BASE 0x10

/* console.c */
void console_start(void);
void console_put(int c);
void printf(const char *text, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *why) __attribute__((noreturn));

/* vm.c */
void vm_start(void);
pagetable_t vm_user(uint32 program, uint32 stack);
void vm_use(pagetable_t table, uint32 asid);
extern pagetable_t kernel_table;

/* process.c */
void process(void);
void timer_every(uint32 ticks);
extern volatile uint32 timer_interrupts;
void trap_vector(void);
uint32 run_user(struct frame *frame);
void leave_user(struct frame *frame, uint32 code) __attribute__((noreturn));

/* netdev.c, net.c */
int netdev_start(void);
void netdev_interrupt(void);
int netdev_receive(uint8 *frame, uint32 room);
void netdev_send(const uint8 *frame, uint32 length);
extern uint8 netdev_mac[6];
extern uint32 netdev_irq;
void net_serve(void);

#endif
