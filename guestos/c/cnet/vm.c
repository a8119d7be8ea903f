/* vm.c: the kernel in megapages at its own addresses, a user program in small pages. */
#include "cnet.h"

static uint32 tables[4][1024] __attribute__((aligned(4096)));
static uint32 used;
pagetable_t kernel_table;

static pagetable_t new_table(void)
{
    if (used == ARRAY_SIZE(tables))
        panic("no more page tables");
    return tables[used++];
}

static void mega(pagetable_t table, uint32 address, uint32 flags)
{
    table[PX(1, address)] = PA2PTE(address & ~(MEGAPAGE - 1)) | flags | PTE_G | PTE_V;
}

void vm_use(pagetable_t table, uint32 asid)
{
    csr_write(satp, MAKE_SATP(table, asid));
    sfence_vma();
}

void vm_start(void)
{
    kernel_table = new_table();
    for (uint32 at = board.ram; at - board.ram < board.ram_size; at += MEGAPAGE)
        mega(kernel_table, at, PTE_R | PTE_W | PTE_X);
    mega(kernel_table, board.uart, PTE_R | PTE_W); /* with the virtio slots */
    mega(kernel_table, board.plic, PTE_R | PTE_W);
    mega(kernel_table, board.plic + 0x200000, PTE_R | PTE_W);
    vm_use(kernel_table, 0);
}

/* The kernel's table with the program at 0x10000 and one page of stack below 0x20000. */
pagetable_t vm_user(uint32 program, uint32 stack)
{
    pagetable_t root = new_table(), low = new_table();
    memcpy(root, kernel_table, PGSIZE);
    root[0] = PA2PTE(low) | PTE_V;
    low[PX(0, 0x10000)] = PA2PTE(program) | PTE_R | PTE_X | PTE_U | PTE_V;
    low[PX(0, 0x1f000)] = PA2PTE(stack) | PTE_R | PTE_W | PTE_U | PTE_V;
    return root;
}
