/* memlayout.h: QEMU's virt board, and where the kernel puts things. */
#ifndef MEMLAYOUT_H
#define MEMLAYOUT_H

#define FINISHER 0x100000u
#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u

#define CLINT 0x2000000u
#define CLINT_MTIMECMP(hart) (CLINT + 0x4000 + 8 * (hart))
#define CLINT_MTIME (CLINT + 0xbff8)

#define PLIC 0x0c000000u
#define PLIC_SIZE 0x400000u
#define PLIC_PRIORITY(irq) (PLIC + 4 * (irq))
#define PLIC_SENABLE(hart) (PLIC + 0x2080 + (hart) * 0x100)
#define PLIC_STHRESHOLD(hart) (PLIC + 0x201000 + (hart) * 0x2000)
#define PLIC_SCLAIM(hart) (PLIC + 0x201004 + (hart) * 0x2000)

#define UART0 0x10000000u
#define UART0_IRQ 10

#define VIRTIO0 0x10001000u
#define VIRTIO_STRIDE 0x1000u
#define VIRTIO_SLOTS 8
#define VIRTIO_IRQ0 1

#define KERNBASE 0x80000000u
#define PHYSTOP (KERNBASE + (8u << 20))

#define MAXVA 0xfffff000u /* the last page is the trampoline */
#define TRAMPOLINE 0xfffff000u
#define TRAPFRAME 0xffffe000u
#define KSTACK(n) (TRAMPOLINE - ((n) + 1) * 2 * PGSIZE - PGSIZE)

#define NCPU 8
#define NPROC 16
#define NFILE 8 /* open files of a process */

#endif
