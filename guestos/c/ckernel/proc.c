/* proc.c: processes and the scheduler. */
#include "defs.h"

static struct cpu cpus[NCPU];
static struct proc procs[NPROC];
static struct proc *initproc;
static struct spinlock wait_lock, pid_lock;
static int nextpid = 1;

extern char trampoline[], uservec[], userret[];

struct cpu *mycpu(void)
{
    return &cpus[r_tp()];
}

struct proc *myproc(void)
{
    push_off();
    struct proc *p = mycpu()->proc;
    pop_off();
    return p;
}

void proc_mapstacks(pagetable_t table)
{
    for (int i = 0; i < NPROC; i++) {
        void *page = kalloc();
        if (page == NULL || mappages(table, KSTACK(i), PGSIZE, (uint32)page, PTE_R | PTE_W))
            panic("kernel stacks");
    }
}

void procinit(void)
{
    initlock(&wait_lock, "wait");
    initlock(&pid_lock, "pid");
    for (int i = 0; i < NPROC; i++) {
        initlock(&procs[i].lock, "proc");
        procs[i].kstack = KSTACK(i);
    }
}

static int allocpid(void)
{
    acquire(&pid_lock);
    int pid = nextpid++;
    release(&pid_lock);
    return pid;
}

pagetable_t proc_pagetable(struct proc *p)
{
    pagetable_t table = uvmcreate();
    if (table == NULL)
        return NULL;
    if (mappages(table, TRAMPOLINE, PGSIZE, (uint32)trampoline, PTE_R | PTE_X) ||
        mappages(table, TRAPFRAME, PGSIZE, (uint32)p->trapframe, PTE_R | PTE_W)) {
        proc_freepagetable(table, 0);
        return NULL;
    }
    return table;
}

void proc_freepagetable(pagetable_t table, uint32 sz)
{
    uvmunmap(table, TRAPFRAME, 1, 0);
    pte_t *pte = walk(table, TRAMPOLINE, 0);
    if (pte)
        *pte = 0;
    uvmfree(table, sz);
}

static void freeproc(struct proc *p)
{
    if (p->trapframe)
        kfree(p->trapframe);
    p->trapframe = NULL;
    if (p->pagetable)
        proc_freepagetable(p->pagetable, p->sz);
    p->pagetable = NULL;
    p->sz = 0;
    p->pid = 0;
    p->parent = NULL;
    p->name[0] = 0;
    p->chan = NULL;
    p->xstate = 0;
    p->state = UNUSED;
}

/* A process begins here, in the kernel, as if it came back from sched(). */
static void forkret(void)
{
    static int first = 1;
    release(&myproc()->lock);
    if (first) {
        first = 0;
        fsinit(); /* sleeps for the disk, so it needs a process */
        char *argv[] = {"init", NULL};
        if (kexec(myproc(), "init", argv) < 0)
            panic("no init");
    }
    usertrapret();
}

static struct proc *allocproc(void)
{
    for (struct proc *p = procs; p < &procs[NPROC]; p++) {
        acquire(&p->lock);
        if (p->state != UNUSED) {
            release(&p->lock);
            continue;
        }
        p->pid = allocpid();
        p->state = USED;
        p->trapframe = kalloc();
        p->pagetable = p->trapframe ? proc_pagetable(p) : NULL;
        if (p->pagetable == NULL) {
            freeproc(p);
            release(&p->lock);
            return NULL;
        }
        memset(p->trapframe, 0, sizeof(*p->trapframe));
        memset(&p->context, 0, sizeof(p->context));
        memset(p->file, 0, sizeof(p->file));
        p->context.ra = (uint32)forkret;
        p->context.sp = p->kstack + PGSIZE;
        return p;
    }
    return NULL;
}

void userinit(void)
{
    struct proc *p = allocproc();
    initproc = p;
    p->file[0].type = p->file[1].type = p->file[2].type = FD_CONSOLE;
    safestrcpy(p->name, "init", sizeof(p->name));
    p->state = RUNNABLE;
    release(&p->lock);
}

int growproc(int n)
{
    struct proc *p = myproc();
    uint32 sz = p->sz;
    if (n > 0) {
        if (sz + n > (64u << 20) || (sz = uvmalloc(p->pagetable, sz, sz + n, PTE_W)) == 0)
            return -1;
    } else if (n < 0) {
        sz = uvmdealloc(p->pagetable, sz, sz + n);
        sfence_vma();
    }
    p->sz = sz;
    return 0;
}

int fork(void)
{
    struct proc *p = myproc();
    struct proc *np = allocproc();
    if (np == NULL)
        return -1;
    if (uvmcopy(p->pagetable, np->pagetable, p->sz) < 0) {
        np->sz = p->sz;
        freeproc(np);
        release(&np->lock);
        return -1;
    }
    np->sz = p->sz;
    *np->trapframe = *p->trapframe;
    np->trapframe->a[0] = 0;
    memcpy(np->file, p->file, sizeof(p->file));
    safestrcpy(np->name, p->name, sizeof(np->name));
    int pid = np->pid;
    release(&np->lock);

    acquire(&wait_lock);
    np->parent = p;
    release(&wait_lock);

    acquire(&np->lock);
    np->state = RUNNABLE;
    release(&np->lock);
    return pid;
}

void exit(int status)
{
    struct proc *p = myproc();
    if (p == initproc) {
        printf("ckernel: init ends with code %d, %u boots on this disk\n", status, fs_boots());
        poweroff(status);
    }
    acquire(&wait_lock);
    for (struct proc *child = procs; child < &procs[NPROC]; child++) {
        if (child->parent == p) {
            child->parent = initproc;
            wakeup(initproc);
        }
    }
    wakeup(p->parent);
    acquire(&p->lock);
    p->xstate = status;
    p->state = ZOMBIE;
    release(&wait_lock);
    sched();
    panic("zombie");
}

/* Wait for a child; its pid, or -1 if there is none. Its status goes to addr. */
int wait(uint32 addr)
{
    struct proc *p = myproc();
    acquire(&wait_lock);
    for (;;) {
        int children = 0;
        for (struct proc *child = procs; child < &procs[NPROC]; child++) {
            if (child->parent != p)
                continue;
            acquire(&child->lock);
            children = 1;
            if (child->state == ZOMBIE) {
                int pid = child->pid;
                int bad = addr && copyout(p->pagetable, addr, &child->xstate, sizeof(int)) < 0;
                if (!bad)
                    freeproc(child);
                release(&child->lock);
                release(&wait_lock);
                return bad ? -1 : pid;
            }
            release(&child->lock);
        }
        if (!children) {
            release(&wait_lock);
            return -1;
        }
        sleep(p, &wait_lock);
    }
}

void scheduler(void)
{
    struct cpu *c = mycpu();
    c->proc = NULL;
    for (;;) {
        intr_on();
        int found = 0;
        for (struct proc *p = procs; p < &procs[NPROC]; p++) {
            acquire(&p->lock);
            if (p->state == RUNNABLE) {
                p->state = RUNNING;
                c->proc = p;
                swtch(&c->context, &p->context);
                c->proc = NULL;
                found = 1;
            }
            release(&p->lock);
        }
        if (!found) {
            intr_on();
            wfi();
        }
    }
}

/* Back to the scheduler. p->lock is held, and nothing else. */
void sched(void)
{
    struct proc *p = myproc();
    if (!holding(&p->lock) || mycpu()->noff != 1 || p->state == RUNNING || intr_get())
        panic("sched");
    int intena = mycpu()->intena;
    swtch(&p->context, &mycpu()->context);
    mycpu()->intena = intena;
}

void yield(void)
{
    struct proc *p = myproc();
    acquire(&p->lock);
    p->state = RUNNABLE;
    sched();
    release(&p->lock);
}

void sleep(void *chan, struct spinlock *lk)
{
    struct proc *p = myproc();
    acquire(&p->lock);
    release(lk);
    p->chan = chan;
    p->state = SLEEPING;
    sched();
    p->chan = NULL;
    release(&p->lock);
    acquire(lk);
}

void wakeup(void *chan)
{
    for (struct proc *p = procs; p < &procs[NPROC]; p++) {
        if (p == myproc())
            continue;
        acquire(&p->lock);
        if (p->state == SLEEPING && p->chan == chan)
            p->state = RUNNABLE;
        release(&p->lock);
    }
}
