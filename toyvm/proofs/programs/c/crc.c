/* CRC-32 (IEEE 802.3) by table: loads and bit operations. */
#include "work.h"

enum { BYTES = 1 << 16 };

static u32 table[256];
static u8 data[BYTES];

int work(void)
{
    u32 seed = 1;

    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    for (u32 i = 0; i < BYTES; i++) {
        seed = next_random(seed);
        data[i] = (u8)(seed >> 24);
    }
    u32 crc = 0;
    for (int round = 0; round < 8; round++) {
        crc = ~crc;
        for (u32 i = 0; i < BYTES; i++)
            crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
        crc = ~crc;
    }
    return crc != 0xd5cad05e;
}
