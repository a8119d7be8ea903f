/* exec.c: load an ELF file from the table of programs into a fresh address space. */
#include "defs.h"

struct elfhdr {
    uint8 ident[16];
    uint16 type, machine;
    uint32 version, entry, phoff, shoff, flags;
    uint16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} __attribute__((packed));

struct proghdr {
    uint32 type, off, vaddr, paddr, filesz, memsz, flags, align;
} __attribute__((packed));

#define PT_LOAD 1
#define PF_X 1
#define PF_W 2
#define MAXARG 8

static const struct program *find(const char *name)
{
    for (const struct program *p = programs; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static int load(pagetable_t table, uint32 va, const uint8 *from, uint32 n)
{
    while (n > 0) {
        uint32 pa = walkaddr(table, PGROUNDDOWN(va));
        uint32 part = PGSIZE - va % PGSIZE;
        if (pa == 0)
            return -1;
        part = part > n ? n : part;
        memmove((void *)(pa + va % PGSIZE), from, part);
        va += part;
        from += part;
        n -= part;
    }
    return 0;
}

int kexec(struct proc *p, const char *path, char **argv)
{
    const struct program *program = find(path);
    if (program == NULL)
        return -1;
    const struct elfhdr *elf = (const struct elfhdr *)program->elf;
    if (memcmp(elf->ident, "\177ELF\1\1", 6) != 0)
        return -1;
    pagetable_t table = proc_pagetable(p);
    uint32 sz = PGSIZE; /* nothing at address 0 */
    if (table == NULL)
        return -1;
    const struct proghdr *ph = (const struct proghdr *)(program->elf + elf->phoff);
    for (int i = 0; i < elf->phnum; i++) {
        if (ph[i].type != PT_LOAD || ph[i].memsz == 0)
            continue;
        uint32 perm = (ph[i].flags & PF_W ? PTE_W : 0) | (ph[i].flags & PF_X ? PTE_X : 0);
        sz = sz < PGROUNDDOWN(ph[i].vaddr) ? PGROUNDDOWN(ph[i].vaddr) : sz;
        uint32 top = ph[i].vaddr + ph[i].memsz;
        if (ph[i].vaddr < PGSIZE || top < ph[i].vaddr || top > (16u << 20) ||
            (sz = uvmalloc(table, sz, top, perm)) == 0)
            goto bad;
        if (load(table, ph[i].vaddr, program->elf + ph[i].off, ph[i].filesz) < 0)
            goto bad;
    }
    /* A guard page, then the stack. */
    sz = PGROUNDUP(sz);
    uint32 top = uvmalloc(table, sz, sz + 2 * PGSIZE, PTE_W);
    if (top == 0)
        goto bad;
    uvmguard(table, sz);
    sz = top;
    uint32 sp = top, stack[MAXARG + 1], argc;
    for (argc = 0; argv[argc]; argc++) {
        uint32 length = strlen(argv[argc]) + 1;
        if (argc >= MAXARG)
            goto bad;
        sp = (sp - length) & ~15u;
        if (copyout(table, sp, argv[argc], length) < 0)
            goto bad;
        stack[argc] = sp;
    }
    stack[argc] = 0;
    sp = (sp - (argc + 1) * 4) & ~15u;
    if (copyout(table, sp, stack, (argc + 1) * 4) < 0)
        goto bad;

    pagetable_t old = p->pagetable;
    uint32 oldsz = p->sz;
    safestrcpy(p->name, path, sizeof(p->name));
    p->pagetable = table;
    p->sz = sz;
    p->trapframe->epc = elf->entry;
    p->trapframe->sp = sp;
    p->trapframe->a[0] = argc;
    p->trapframe->a[1] = sp;
    proc_freepagetable(old, oldsz);
    return (int)argc;
bad:
    proc_freepagetable(table, sz ? sz : 16u << 20);
    return -1;
}
