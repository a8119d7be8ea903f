/* syscall.c: what user programs can ask for; numbers in ../cuser/user.h. */
#include "defs.h"

static uint32 arg(int n)
{
    return myproc()->trapframe->a[n];
}

static struct file *argfile(void)
{
    uint32 fd = arg(0);
    if (fd >= NFILE || myproc()->file[fd].type == FD_NONE)
        return NULL;
    return &myproc()->file[fd];
}

static int sys_fork(void)
{
    return fork();
}

static int sys_exit(void)
{
    exit((int)arg(0));
}

static int sys_wait(void)
{
    return wait(arg(0));
}

static int sys_read(void)
{
    struct file *f = argfile();
    if (f == NULL)
        return -1;
    if (f->type == FD_CONSOLE)
        return consoleread(arg(1), arg(2));
    int n = fs_read(f->inode, f->offset, arg(1), arg(2));
    f->offset += n > 0 ? n : 0;
    return n;
}

static int sys_write(void)
{
    struct file *f = argfile();
    if (f == NULL)
        return -1;
    if (f->type == FD_CONSOLE)
        return consolewrite(arg(1), arg(2));
    int n = fs_write(f->inode, f->offset, arg(1), arg(2));
    f->offset += n > 0 ? n : 0;
    return n;
}

/* open(name, create, end): end = 1 starts behind the last byte. */
static int sys_open(void)
{
    char name[20];
    struct proc *p = myproc();
    if (copyinstr(p->pagetable, name, arg(0), sizeof(name)) < 0)
        return -1;
    int inode = fs_open(name, (int)arg(1));
    for (int fd = 0; fd < NFILE && inode >= 0; fd++) {
        if (p->file[fd].type == FD_NONE) {
            p->file[fd] = (struct file){FD_FILE, inode, arg(2) ? (uint32)fs_size(inode) : 0};
            return fd;
        }
    }
    return -1;
}

static int sys_close(void)
{
    struct file *f = argfile();
    if (f == NULL)
        return -1;
    f->type = FD_NONE;
    return 0;
}

static int sys_sbrk(void)
{
    int old = (int)myproc()->sz;
    return growproc((int)arg(0)) < 0 ? -1 : old;
}

static int sys_sleep(void)
{
    acquire(&tickslock);
    uint32 start = ticks;
    while (ticks - start < arg(0))
        sleep(&ticks, &tickslock);
    release(&tickslock);
    return 0;
}

static int sys_uptime(void)
{
    acquire(&tickslock);
    uint32 now = ticks;
    release(&tickslock);
    return (int)now;
}

static int sys_getpid(void)
{
    return myproc()->pid;
}

static int sys_exec(void)
{
    static struct sleeplock lock;
    static char path[20], text[8][64];
    char *argv[9];
    struct proc *p = myproc();
    int n = 0, result = -1;
    acquiresleep(&lock);
    if (copyinstr(p->pagetable, path, arg(0), sizeof(path)) < 0)
        goto out;
    for (uint32 at = arg(1); n < 8; n++, at += 4) {
        uint32 string;
        if (copyin(p->pagetable, &string, at, 4) < 0)
            goto out;
        if (string == 0)
            break;
        if (copyinstr(p->pagetable, text[n], string, sizeof(text[n])) < 0)
            goto out;
        argv[n] = text[n];
    }
    argv[n] = NULL;
    result = kexec(p, path, argv);
out:
    releasesleep(&lock);
    return result;
}

/* list(index, name): the length of a file and its name; -1 behind the last. */
static int sys_list(void)
{
    char name[20];
    int length = fs_name((int)arg(0), name);
    if (length >= 0 && copyout(myproc()->pagetable, arg(1), name, sizeof(name)) < 0)
        return -1;
    return length;
}

static int sys_freepages(void)
{
    return (int)kfreepages();
}

static int (*const calls[])(void) = {
    NULL,      sys_fork, sys_exit,  sys_wait,   sys_read,   sys_write, sys_open,      sys_close,
    sys_sbrk,  sys_sleep, sys_uptime, sys_getpid, sys_exec, sys_list,  sys_freepages,
};

void syscall(void)
{
    struct proc *p = myproc();
    uint32 number = p->trapframe->a[7];
    if (number > 0 && number < ARRAY_SIZE(calls))
        p->trapframe->a[0] = (uint32)calls[number]();
    else
        p->trapframe->a[0] = (uint32)-1;
}
