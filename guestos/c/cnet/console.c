/* console.c: text through the debug console if the firmware has one, else letter by letter. */
#include "cnet.h"

#define SBI_DBCN 0x4442434e

static int debug_console;

void console_start(void)
{
    debug_console = sbi_has(SBI_DBCN);
}

struct line {
    char text[128];
    uint32 n;
};

static void flush(struct line *line)
{
    if (debug_console) {
        for (uint32 done = 0; done < line->n;) {
            struct sbiret r = sbi(SBI_DBCN, 0, line->n - done, (uint32)line->text + done, 0);
            if (r.error)
                break;
            done += r.value;
        }
    } else {
        for (uint32 i = 0; i < line->n; i++)
            sbi(1, 0, (uint8)line->text[i], 0, 0);
    }
    line->n = 0;
}

static void put(int c, void *to)
{
    struct line *line = to;
    line->text[line->n++] = (char)c;
    if (line->n == sizeof(line->text))
        flush(line);
}

void printf(const char *text, ...)
{
    struct line line;
    __builtin_va_list ap;
    line.n = 0;
    __builtin_va_start(ap, text);
    format(put, &line, text, ap);
    __builtin_va_end(ap);
    flush(&line);
}

void panic(const char *why)
{
    printf("panic: %s\n", why);
    sbi_off(1);
}
