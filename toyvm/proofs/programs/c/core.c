/* A mix like that of embedded programs: sort and search linked lists, small matrices of 16-bit
 * numbers, a state machine that scans text, and a 16-bit CRC over all the results. */
#include "work.h"

enum { ITEMS = 128, SIDE = 12, TEXT = 512, ROUNDS = 6 };

struct item {
    struct item *next;
    u16 key;
    u16 value;
};

static struct item items[ITEMS];
static u16 left[SIDE][SIDE], right[SIDE][SIDE];
static u8 text[TEXT];

static u16 crc16(u16 crc, u32 word)
{
    for (int bit = 0; bit < 32; bit++) {
        u32 carry = (crc ^ word) & 1;
        crc >>= 1;
        word >>= 1;
        if (carry)
            crc ^= 0xa001;
    }
    return crc;
}

/* Merge sort of a list by key, or by value. */
static struct item *merge(struct item *a, struct item *b, int by_value)
{
    struct item head, *tail = &head;

    while (a && b) {
        int first = by_value ? a->value <= b->value : a->key <= b->key;
        struct item **from = first ? &a : &b;
        tail->next = *from;
        tail = *from;
        *from = tail->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct item *sort(struct item *list, u32 length, int by_value)
{
    struct item *middle = list;

    if (length < 2) {
        if (list)
            list->next = 0;
        return list;
    }
    for (u32 i = 0; i < length / 2; i++)
        middle = middle->next;
    struct item *upper = sort(middle, length - length / 2, by_value);
    return merge(sort(list, length / 2, by_value), upper, by_value);
}

static u16 lists(u16 crc, u32 seed)
{
    for (int i = 0; i < ITEMS; i++) {
        seed = next_random(seed);
        items[i].key = (u16)(seed >> 20);
        items[i].value = (u16)(seed >> 8);
        items[i].next = i + 1 < ITEMS ? &items[i + 1] : 0;
    }
    struct item *list = sort(items, ITEMS, 0);
    for (u32 wanted = 0; wanted < 4096; wanted += 128) {
        struct item *at = list;
        while (at && at->key < wanted)
            at = at->next;
        crc = crc16(crc, at ? at->value : 0xffff);
    }
    struct item *turned = 0;
    while (list) {
        struct item *next = list->next;
        list->next = turned;
        turned = list;
        list = next;
    }
    list = sort(turned, ITEMS, 1);
    for (int i = 0; i < ITEMS; i++, list = list->next)
        if (i % 16 == 0)
            crc = crc16(crc, (u32)list->key << 16 | list->value);
    return crc;
}

static u16 matrices(u16 crc, u32 seed)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            seed = next_random(seed);
            left[i][j] = (u16)(seed >> 24);
            right[i][j] = (u16)(seed >> 16 & 255);
        }
    for (int i = 0; i < SIDE; i++) {
        u32 row = 0;
        for (int j = 0; j < SIDE; j++) {
            int sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += (short)left[i][k] * (short)right[k][j];
            row += (u32)(sum >> 2 & 15) * (u32)(sum >> 5 & 127);
        }
        crc = crc16(crc, row);
    }
    return crc;
}

enum state { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, POWER, BAD, STATES };

/* Count how many words of the text end in each state of a scanner of numbers. */
static u16 scan(u16 crc, u32 seed)
{
    static const u8 letters[] = "0123456789+-.e,,5x";
    u32 counts[STATES] = {0};
    enum state state = START;

    for (int i = 0; i < TEXT; i++) {
        seed = next_random(seed);
        text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
    }
    for (int i = 0; i < TEXT; i++) {
        u8 c = text[i];
        int digit = c >= '0' && c <= '9';
        if (c == ',') {
            counts[state]++;
            state = START;
            continue;
        }
        switch (state) {
        case START:
            state = digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : BAD;
            break;
        case SIGN:
            state = digit ? WHOLE : c == '.' ? POINT : BAD;
            break;
        case WHOLE:
            state = digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
            break;
        case POINT:
        case FRACTION:
            state = digit ? FRACTION : c == 'e' && state == FRACTION ? EXPONENT : BAD;
            break;
        case EXPONENT:
        case POWER:
            state = digit || ((c == '+' || c == '-') && state == EXPONENT) ? POWER : BAD;
            break;
        default:
            break;
        }
    }
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc, counts[i]);
    return crc;
}

int work(void)
{
    u16 crc = 0;

    for (u32 round = 0; round < ROUNDS; round++) {
        crc = lists(crc, round);
        crc = matrices(crc, round + 100);
        crc = scan(crc, round + 200);
    }
    return crc != 0x07f1;
}
