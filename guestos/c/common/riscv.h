/* riscv.h: CSRs, barriers and Sv32, for code in M- and S-mode. */
#ifndef RISCV_H
#define RISCV_H

#include "types.h"

#define csr_read(name)                                              \
    ({                                                              \
        uint32 csr_value_;                                          \
        asm volatile("csrr %0, " #name : "=r"(csr_value_)::"memory"); \
        csr_value_;                                                 \
    })
#define csr_write(name, value) asm volatile("csrw " #name ", %0" ::"rK"(value) : "memory")
#define csr_set(name, bits) asm volatile("csrs " #name ", %0" ::"rK"(bits) : "memory")
#define csr_clear(name, bits) asm volatile("csrc " #name ", %0" ::"rK"(bits) : "memory")
#define csr_swap(name, value)                                                         \
    ({                                                                                \
        uint32 csr_old_;                                                              \
        asm volatile("csrrw %0, " #name ", %1" : "=r"(csr_old_) : "rK"(value) : "memory"); \
        csr_old_;                                                                     \
    })

#define MSTATUS_MPP_MASK (3u << 11)
#define MSTATUS_MPP_S (1u << 11)
#define MSTATUS_MIE (1u << 3)
#define MSTATUS_MPRV (1u << 17)
#define SSTATUS_SPP (1u << 8)
#define SSTATUS_SPIE (1u << 5)
#define SSTATUS_SIE (1u << 1)
#define SSTATUS_SUM (1u << 18)

#define IP_SSI (1u << 1)
#define IP_MSI (1u << 3)
#define IP_STI (1u << 5)
#define IP_MTI (1u << 7)
#define IP_SEI (1u << 9)
#define IP_MEI (1u << 11)

#define CAUSE_INTERRUPT 0x80000000u

#define PGSIZE 4096u
#define PGSHIFT 12
#define MEGAPAGE (4u << 20)
#define PGROUNDUP(n) (((n) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(n) ((n) & ~(PGSIZE - 1))

#define PTE_V (1u << 0)
#define PTE_R (1u << 1)
#define PTE_W (1u << 2)
#define PTE_X (1u << 3)
#define PTE_U (1u << 4)
#define PTE_G (1u << 5)
#define PTE_A (1u << 6)
#define PTE_D (1u << 7)
#define PTE_FLAGS(pte) ((pte) & 0x3ffu)
#define PA2PTE(pa) (((uint32)(pa) >> 12) << 10)
#define PTE2PA(pte) (((pte) >> 10) << 12)
#define PX(level, va) (((uint32)(va) >> (PGSHIFT + 10 * (level))) & 0x3ffu)

#define SATP_SV32 (1u << 31)
#define MAKE_SATP(table, asid) (SATP_SV32 | ((uint32)(asid) << 22) | ((uint32)(table) >> 12))

static inline void sfence_vma(void)
{
    asm volatile("sfence.vma zero, zero" ::: "memory");
}

static inline void sfence_page(uint32 va)
{
    asm volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

static inline void wfi(void)
{
    asm volatile("wfi" ::: "memory");
}

static inline void fence_io(void)
{
    asm volatile("fence iorw, iorw" ::: "memory");
}

/* The 64-bit clock in two halves: read again if the upper one has moved. */
static inline uint64 rdtime(void)
{
    uint32 high, low, again;
    do {
        asm volatile("rdtimeh %0; rdtime %1; rdtimeh %2" : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return (uint64)high << 32 | low;
}

static inline void intr_on(void)
{
    csr_set(sstatus, SSTATUS_SIE);
}

static inline void intr_off(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
}

static inline int intr_get(void)
{
    return (csr_read(sstatus) & SSTATUS_SIE) != 0;
}

static inline uint32 r_tp(void)
{
    uint32 value;
    asm volatile("mv %0, tp" : "=r"(value));
    return value;
}

static inline void w_tp(uint32 value)
{
    asm volatile("mv tp, %0" ::"r"(value));
}

#endif
