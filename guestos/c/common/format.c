/* format.c: the heart of every printf here. */
#include "lib.h"

typedef void (*put_fn)(int c, void *to);

static void put_number(put_fn put, void *to, uint64 value, uint32 base, int negative, int width,
                       char pad)
{
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[n++] = '-';
    for (int i = n; i < width; i++)
        put(pad, to);
    while (n-- > 0)
        put(digits[n], to);
}

static void put_string(put_fn put, void *to, const char *text, int width)
{
    int n = 0;
    for (text = text ? text : "(null)"; *text; text++, n++)
        put(*text, to);
    for (; n < width; n++)
        put(' ', to);
}

void format(put_fn put, void *to, const char *text, __builtin_va_list ap)
{
    for (; *text; text++) {
        if (*text != '%') {
            put(*text, to);
            continue;
        }
        char pad = ' ';
        int width = 0, longs = 0;
        text++;
        if (*text == '0')
            pad = '0';
        while (*text >= '0' && *text <= '9')
            width = width * 10 + (*text++ - '0');
        while (*text == 'l')
            longs++, text++;
        uint64 value = 0;
        switch (*text) {
        case 'd': {
            int64 number = longs == 2 ? __builtin_va_arg(ap, int64) : __builtin_va_arg(ap, int);
            value = number < 0 ? -(uint64)number : (uint64)number;
            put_number(put, to, value, 10, number < 0, width, pad);
            break;
        }
        case 'u':
        case 'x':
            value = longs == 2 ? __builtin_va_arg(ap, uint64) : __builtin_va_arg(ap, uint32);
            put_number(put, to, value, *text == 'x' ? 16 : 10, 0, width, pad);
            break;
        case 'p':
            put_string(put, to, "0x", 0);
            put_number(put, to, __builtin_va_arg(ap, uint32), 16, 0, 8, '0');
            break;
        case 's':
            put_string(put, to, __builtin_va_arg(ap, const char *), width);
            break;
        case 'c':
            put(__builtin_va_arg(ap, int), to);
            break;
        case '%':
            put('%', to);
            break;
        case 0:
            return;
        default:
            put('%', to);
            put(*text, to);
        }
    }
}
