/* vm.c: Sv32 page tables of the kernel and of processes. */
#include "defs.h"

extern char etext[], trampoline[];

static pagetable_t kernel_pagetable;

static pagetable_t table_page(void)
{
    pagetable_t table = kalloc();
    if (table)
        memset(table, 0, PGSIZE);
    return table;
}

/* The PTE of level 0 for va; NULL if its table is missing and alloc is 0 or memory is out. */
pte_t *walk(pagetable_t table, uint32 va, int alloc)
{
    pte_t *pte = &table[PX(1, va)];
    if (*pte & PTE_V) {
        if (*pte & (PTE_R | PTE_W | PTE_X))
            panic("walk: megapage");
        table = (pagetable_t)PTE2PA(*pte);
    } else {
        if (!alloc || (table = table_page()) == NULL)
            return NULL;
        *pte = PA2PTE(table) | PTE_V;
    }
    return &table[PX(0, va)];
}

/* Physical address of a user page, 0 if it is not mapped for the user. */
uint32 walkaddr(pagetable_t table, uint32 va)
{
    if (va >= MAXVA)
        return 0;
    pte_t *pte = walk(table, va, 0);
    if (pte == NULL || !(*pte & PTE_V) || !(*pte & PTE_U))
        return 0;
    return PTE2PA(*pte);
}

int mappages(pagetable_t table, uint32 va, uint32 size, uint32 pa, uint32 perm)
{
    if (va % PGSIZE || size % PGSIZE || size == 0)
        panic("mappages: alignment");
    for (uint32 done = 0; done < size; done += PGSIZE) {
        pte_t *pte = walk(table, va + done, 1);
        if (pte == NULL)
            return -1;
        if (*pte & PTE_V)
            panic("mappages: remap");
        *pte = PA2PTE(pa + done) | perm | PTE_V;
    }
    return 0;
}

static void kvmmap(uint32 va, uint32 pa, uint32 size, uint32 perm)
{
    if (mappages(kernel_pagetable, va, size, pa, perm) != 0)
        panic("kvmmap");
}

/* Devices and memory at their own addresses: small pages where rights differ, megapages above. */
void kvminit(void)
{
    kernel_pagetable = table_page();
    kvmmap(FINISHER, FINISHER, PGSIZE, PTE_R | PTE_W);
    kvmmap(UART0, UART0, PGSIZE, PTE_R | PTE_W);
    kvmmap(VIRTIO0, VIRTIO0, VIRTIO_SLOTS * VIRTIO_STRIDE, PTE_R | PTE_W);
    kernel_pagetable[PX(1, PLIC)] = PA2PTE(PLIC) | PTE_R | PTE_W | PTE_G | PTE_V;
    uint32 text = (uint32)etext - KERNBASE;
    kvmmap(KERNBASE, KERNBASE, text, PTE_R | PTE_X | PTE_G);
    kvmmap((uint32)etext, (uint32)etext, MEGAPAGE - text, PTE_R | PTE_W | PTE_G);
    for (uint32 pa = KERNBASE + MEGAPAGE; pa < PHYSTOP; pa += MEGAPAGE)
        kernel_pagetable[PX(1, pa)] = PA2PTE(pa) | PTE_R | PTE_W | PTE_G | PTE_V;
    kvmmap(TRAMPOLINE, (uint32)trampoline, PGSIZE, PTE_R | PTE_X);
    proc_mapstacks(kernel_pagetable);
}

void kvminithart(void)
{
    sfence_vma();
    csr_write(satp, MAKE_SATP(kernel_pagetable, 0));
    sfence_vma();
}

pagetable_t uvmcreate(void)
{
    return table_page();
}

void uvmunmap(pagetable_t table, uint32 va, uint32 npages, int do_free)
{
    if (va % PGSIZE)
        panic("uvmunmap: alignment");
    for (uint32 at = va; at < va + npages * PGSIZE; at += PGSIZE) {
        pte_t *pte = walk(table, at, 0);
        if (pte == NULL || !(*pte & PTE_V))
            continue; /* the page below the program, and holes */
        if (do_free)
            kfree((void *)PTE2PA(*pte));
        *pte = 0;
    }
}

uint32 uvmdealloc(pagetable_t table, uint32 oldsz, uint32 newsz)
{
    if (newsz < oldsz && PGROUNDUP(newsz) < PGROUNDUP(oldsz)) {
        uint32 n = (PGROUNDUP(oldsz) - PGROUNDUP(newsz)) / PGSIZE;
        uvmunmap(table, PGROUNDUP(newsz), n, 1);
    }
    return newsz < oldsz ? newsz : oldsz;
}

/* Grow a process from oldsz to newsz; newsz, or 0 if memory is out. */
uint32 uvmalloc(pagetable_t table, uint32 oldsz, uint32 newsz, uint32 perm)
{
    for (uint32 at = PGROUNDUP(oldsz); at < newsz; at += PGSIZE) {
        void *page = kalloc();
        if (page == NULL) {
            uvmdealloc(table, at, oldsz);
            return 0;
        }
        memset(page, 0, PGSIZE);
        if (mappages(table, at, PGSIZE, (uint32)page, perm | PTE_R | PTE_U) != 0) {
            kfree(page);
            uvmdealloc(table, at, oldsz);
            return 0;
        }
    }
    return newsz > oldsz ? newsz : oldsz;
}

void uvmfree(pagetable_t table, uint32 sz)
{
    uvmunmap(table, 0, PGROUNDUP(sz) / PGSIZE, 1);
    for (uint32 i = 0; i < 1024; i++) {
        if (!(table[i] & PTE_V))
            continue;
        pagetable_t low = (pagetable_t)PTE2PA(table[i]);
        for (uint32 j = 0; j < 1024; j++)
            if (low[j] & PTE_V)
                panic("uvmfree: leaf");
        kfree(low);
    }
    kfree(table);
}

int uvmcopy(pagetable_t from, pagetable_t to, uint32 sz)
{
    for (uint32 at = 0; at < sz; at += PGSIZE) {
        pte_t *pte = walk(from, at, 0);
        if (pte == NULL || !(*pte & PTE_V))
            continue;
        void *page = kalloc();
        if (page == NULL)
            return -1;
        memcpy(page, (void *)PTE2PA(*pte), PGSIZE);
        if (mappages(to, at, PGSIZE, (uint32)page, PTE_FLAGS(*pte) & ~(PTE_A | PTE_D | PTE_V))) {
            kfree(page);
            return -1;
        }
    }
    return 0;
}

/* Below the stack: a page that the user may not touch. */
void uvmguard(pagetable_t table, uint32 va)
{
    pte_t *pte = walk(table, va, 0);
    if (pte == NULL)
        panic("uvmguard");
    *pte &= ~PTE_U;
}

/* n bytes between user memory (at va) and the kernel, page by page. */
static int copy(pagetable_t table, uint32 va, uint8 *kernel, uint32 n, int out)
{
    while (n > 0) {
        uint32 page = PGROUNDDOWN(va);
        uint32 pa = walkaddr(table, page);
        uint32 part = PGSIZE - (va - page);
        if (pa == 0)
            return -1;
        if (out && !(*walk(table, page, 0) & PTE_W))
            return -1;
        part = part > n ? n : part;
        if (out)
            memmove((void *)(pa + (va - page)), kernel, part);
        else
            memmove(kernel, (void *)(pa + (va - page)), part);
        n -= part;
        kernel += part;
        va += part;
    }
    return 0;
}

int copyout(pagetable_t table, uint32 dst, const void *src, uint32 n)
{
    return copy(table, dst, (uint8 *)src, n, 1);
}

int copyin(pagetable_t table, void *dst, uint32 src, uint32 n)
{
    return copy(table, src, dst, n, 0);
}

int copyinstr(pagetable_t table, char *dst, uint32 src, uint32 room)
{
    for (uint32 i = 0; i < room; i++) {
        if (copyin(table, dst + i, src + i, 1) < 0)
            return -1;
        if (dst[i] == 0)
            return 0;
    }
    return -1;
}
