/* sh.c: a shell of six words: ls, cat, put, run programs, uptime, exit. */
#include "user.h"

static void cat(const char *name)
{
    char buf[200];
    int n, fd = open(name, 0, 0);
    if (fd < 0) {
        printf("sh: no file %s\n", name);
        return;
    }
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        write(1, buf, (uint32)n);
    close(fd);
}

static void put(int argc, char **argv)
{
    int fd = open(argv[1], 1, 1);
    for (int i = 2; fd >= 0 && i < argc; i++) {
        write(fd, argv[i], strlen(argv[i]));
        write(fd, i + 1 < argc ? " " : "\n", 1);
    }
    if (fd >= 0)
        close(fd);
    else
        printf("sh: cannot write %s\n", argv[1]);
}

int main(void)
{
    char line[100], name[20], *argv[9];
    for (;;) {
        int argc = 0;
        printf("$ ");
        if (readline(line, sizeof(line)) < 0)
            return 1;
        printf("\n");
        for (char *at = line; *at && argc < 8;) {
            while (*at == ' ')
                *at++ = 0;
            if (*at)
                argv[argc++] = at;
            while (*at && *at != ' ')
                at++;
        }
        argv[argc] = NULL;
        if (argc == 0)
            continue;
        if (strcmp(argv[0], "exit") == 0)
            return 0;
        if (strcmp(argv[0], "ls") == 0) {
            for (int i = 0, n; (n = list(i, name)) >= 0; i++)
                printf("%20s%d\n", name, n);
        } else if (strcmp(argv[0], "cat") == 0 && argc == 2) {
            cat(argv[1]);
        } else if (strcmp(argv[0], "put") == 0 && argc > 2) {
            put(argc, argv);
        } else if (strcmp(argv[0], "uptime") == 0) {
            printf("%d ticks of 2 ms\n", uptime());
        } else {
            int status = run(argv[0], argv);
            printf("sh: %s ends with code %d\n", argv[0], status);
        }
    }
}
