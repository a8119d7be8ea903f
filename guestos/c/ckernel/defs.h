/* defs.h: the kernel's structures, and the functions its files give each other. */
#ifndef DEFS_H
#define DEFS_H

#include "../common/lib.h"
#include "../common/riscv.h"
#include "../common/types.h"
#include "memlayout.h"

struct spinlock {
    uint32 locked;
    const char *name;
    struct cpu *cpu;
};

struct sleeplock {
    uint32 locked;
    struct spinlock lk;
};

struct context {
    uint32 ra, sp, s[12];
};

struct cpu {
    struct proc *proc;
    struct context context;
    int noff;
    int intena;
};

/* Its offsets are in trampoline.S. */
struct trapframe {
    uint32 kernel_satp;   /*   0 */
    uint32 kernel_sp;     /*   4 */
    uint32 kernel_trap;   /*   8 */
    uint32 epc;           /*  12 */
    uint32 kernel_hartid; /*  16 */
    uint32 ra, sp, gp, tp, t0, t1, t2, s0, s1;
    uint32 a[8]; /* 56: a0 */
    uint32 s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};

enum procstate { UNUSED, USED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };

struct file {
    enum { FD_NONE, FD_CONSOLE, FD_FILE } type;
    int inode;
    uint32 offset;
};

struct proc {
    struct spinlock lock;
    enum procstate state;
    void *chan;
    int xstate;
    int pid;
    struct proc *parent; /* under wait_lock */
    uint32 kstack;
    uint32 sz;
    pagetable_t pagetable;
    struct trapframe *trapframe;
    struct context context;
    struct file file[NFILE];
    char name[16];
};

struct program {
    const char *name;
    const uint8 *elf;
    const uint8 *end;
};

/* console.c */
void consoleinit(void);
void consoleintr(int c);
int consoleread(uint32 dst, uint32 n);
int consolewrite(uint32 src, uint32 n);
void printf(const char *text, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *why) __attribute__((noreturn));
void poweroff(int code) __attribute__((noreturn));
extern volatile int panicked;

/* uart.c */
void uartinit(void);
void uartintr(void);
void uartputc(int c);
void uartputc_sync(int c);
void uartflush(void);

/* kalloc.c */
void kinit(void);
void *kalloc(void);
void kfree(void *page);
uint32 kfreepages(void);

/* spinlock.c */
void initlock(struct spinlock *lk, const char *name);
void acquire(struct spinlock *lk);
void release(struct spinlock *lk);
int holding(struct spinlock *lk);
void push_off(void);
void pop_off(void);
void initsleeplock(struct sleeplock *lk, const char *name);
void acquiresleep(struct sleeplock *lk);
void releasesleep(struct sleeplock *lk);

/* vm.c */
void kvminit(void);
void kvminithart(void);
pte_t *walk(pagetable_t table, uint32 va, int alloc);
uint32 walkaddr(pagetable_t table, uint32 va);
int mappages(pagetable_t table, uint32 va, uint32 size, uint32 pa, uint32 perm);
pagetable_t uvmcreate(void);
uint32 uvmalloc(pagetable_t table, uint32 oldsz, uint32 newsz, uint32 perm);
uint32 uvmdealloc(pagetable_t table, uint32 oldsz, uint32 newsz);
void uvmunmap(pagetable_t table, uint32 va, uint32 npages, int do_free);
void uvmfree(pagetable_t table, uint32 sz);
int uvmcopy(pagetable_t from, pagetable_t to, uint32 sz);
void uvmguard(pagetable_t table, uint32 va);
int copyout(pagetable_t table, uint32 dst, const void *src, uint32 n);
int copyin(pagetable_t table, void *dst, uint32 src, uint32 n);
int copyinstr(pagetable_t table, char *dst, uint32 src, uint32 room);

/* proc.c */
struct cpu *mycpu(void);
struct proc *myproc(void);
void procinit(void);
void userinit(void);
void scheduler(void) __attribute__((noreturn));
void sched(void);
void yield(void);
void sleep(void *chan, struct spinlock *lk);
void wakeup(void *chan);
int fork(void);
void exit(int status) __attribute__((noreturn));
int wait(uint32 addr);
int growproc(int n);
pagetable_t proc_pagetable(struct proc *p);
void proc_freepagetable(pagetable_t table, uint32 sz);
void proc_mapstacks(pagetable_t table);
void swtch(struct context *from, struct context *to);

/* trap.c */
void trapinithart(void);
void usertrapret(void);
extern struct spinlock tickslock;
extern uint32 ticks;

/* plic.c */
void plicinit(void);
void plicinithart(void);

/* virtio_blk.c */
void diskinit(void);
int disk_present(void);
int disk_rw(uint32 sector, void *data, int write);
void diskintr(void);
extern uint32 disk_irq;

/* fs.c */
void fsinit(void);
int fs_open(const char *name, int create);
int fs_read(int inode, uint32 offset, uint32 dst, uint32 n);
int fs_write(int inode, uint32 offset, uint32 src, uint32 n);
int fs_size(int inode);
int fs_name(int index, char name[20]);
uint32 fs_boots(void);

/* syscall.c, exec.c */
void syscall(void);
int exec(const char *path, char **argv);
int kexec(struct proc *p, const char *path, char **argv);

extern const struct program programs[];

#endif
