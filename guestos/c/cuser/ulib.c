/* ulib.c: printf by whole lines, and small helpers. */
#include "user.h"

struct line {
    char text[120];
    uint32 n;
};

static void put(int c, void *to)
{
    struct line *line = to;
    line->text[line->n++] = (char)c;
    if (c == '\n' || line->n == sizeof(line->text)) {
        write(1, line->text, line->n);
        line->n = 0;
    }
}

void printf(const char *text, ...)
{
    struct line line;
    __builtin_va_list ap;
    line.n = 0;
    __builtin_va_start(ap, text);
    format(put, &line, text, ap);
    __builtin_va_end(ap);
    if (line.n)
        write(1, line.text, line.n);
}

int readline(char *to, uint32 room)
{
    int n = read(0, to, room - 1);
    if (n > 0 && to[n - 1] == '\n')
        n--;
    to[n < 0 ? 0 : n] = 0;
    return n;
}

int run(const char *path, char **argv)
{
    int status = -1;
    int pid = fork();
    if (pid == 0) {
        exec(path, argv);
        exit(-1);
    }
    if (pid < 0 || wait(&status) != pid)
        return -1;
    return status;
}
