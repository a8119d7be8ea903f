/* fdt.c: the board from the flattened device tree (Devicetree Specification 0.4, chapter 5). */
#include "cnet.h"

struct board board;

static uint32 be32(const void *at)
{
    const uint8 *b = at;
    return (uint32)b[0] << 24 | (uint32)b[1] << 16 | (uint32)b[2] << 8 | b[3];
}

static int starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A property of the node that `path` ends with. Addresses and sizes have two cells on this board. */
static void property(const char *node, const char *name, const uint8 *value, uint32 length)
{
    if (starts(node, "memory@") && strcmp(name, "reg") == 0) {
        board.ram = be32(value + 4);
        board.ram_size = be32(value + 12);
    } else if (strcmp(node, "cpus") == 0 && strcmp(name, "timebase-frequency") == 0) {
        board.timebase = be32(value);
    } else if (starts(node, "cpu@") && strcmp(name, "reg") == 0) {
        board.harts++;
    } else if (strcmp(node, "chosen") == 0 && strcmp(name, "bootargs") == 0) {
        safestrcpy(board.bootargs, (const char *)value, sizeof(board.bootargs));
    } else if (starts(node, "serial@") || starts(node, "uart@")) {
        if (strcmp(name, "reg") == 0)
            board.uart = be32(value + 4);
        else if (strcmp(name, "interrupts") == 0)
            board.uart_irq = be32(value);
    } else if (starts(node, "plic@") || starts(node, "interrupt-controller@")) {
        if (strcmp(name, "reg") == 0)
            board.plic = be32(value + 4);
    } else if (starts(node, "virtio_mmio@") && board.slots <= ARRAY_SIZE(board.slot)) {
        uint32 slot = board.slots - 1;
        if (strcmp(name, "reg") == 0)
            board.slot[slot] = be32(value + 4);
        else if (strcmp(name, "interrupts") == 0)
            board.slot_irq[slot] = be32(value);
    }
    (void)length;
}

int fdt_read(const void *tree)
{
    const uint8 *base = tree;
    if (be32(base) != 0xd00dfeed)
        return -1;
    const uint8 *at = base + be32(base + 8);
    const char *strings = (const char *)base + be32(base + 12);
    const char *path[8] = {""};
    int depth = 0;
    for (;;) {
        uint32 token = be32(at);
        at += 4;
        switch (token) {
        case 1: /* begin node */
            if (depth < 8)
                path[depth] = (const char *)at;
            if (starts((const char *)at, "virtio_mmio@"))
                board.slots++;
            depth++;
            at += (strlen((const char *)at) + 4) & ~3u;
            break;
        case 2: /* end node */
            depth--;
            break;
        case 3: { /* property */
            uint32 length = be32(at), name = be32(at + 4);
            if (depth >= 1 && depth <= 8)
                property(path[depth - 1], strings + name, at + 8, length);
            at += 8 + ((length + 3) & ~3u);
            break;
        }
        case 4: /* nop */
            break;
        case 9:
            return 0;
        default:
            return -1;
        }
    }
}
