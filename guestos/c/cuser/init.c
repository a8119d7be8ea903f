/* init.c: the first process: tries what the kernel offers, then a shell if somebody is there. */
#include "user.h"

static int failures;

static void check(const char *what, int ok)
{
    printf("init: %s: %s\n", what, ok ? "ok" : "FAILED");
    failures += !ok;
}

/* A packed record: its fields are read and written at odd addresses. */
struct record {
    uint8 kind;
    uint32 boot;
    uint16 mark;
    uint64 big;
} __attribute__((packed));

static void processes(void)
{
    static const char *const limits[] = {"1000", "5000", "20000"};
    static const int counts[] = {168, 669, 2262};
    int pids[3], status[3], right = 0;
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char *argv[] = {"primes", (char *)limits[i], NULL};
            exec("primes", argv);
            exit(-1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int code, pid = wait(&code);
        for (int j = 0; j < 3; j++)
            if (pids[j] == pid)
                status[j] = code;
    }
    for (int i = 0; i < 3; i++) {
        printf("init: process %d: %d primes below %s\n", pids[i], status[i], limits[i]);
        right += status[i] == counts[i];
    }
    check("three processes at once", right == 3);
    check("no more children", wait(NULL) == -1);
    check("an unknown system call", nosuchcall() == -1);
}

static void preemption(void)
{
    int status, pid = fork();
    if (pid == 0) {
        int until = uptime() + 4;
        volatile uint32 spins = 0;
        while (uptime() < until)
            for (int i = 0; i < 1000; i++)
                spins++;
        exit(spins > 0 ? 7 : 0);
    }
    int before = uptime();
    sleep(3);
    check("a sleeper beside a busy process", uptime() - before >= 3);
    check("the busy process ends", wait(&status) == pid && status == 7);
}

static void memory(void)
{
    int status, before = freepages();
    char *start = sbrk(100000);
    int zero = 1;
    for (int i = 0; i < 100000; i += 997)
        zero &= start[i] == 0;
    check("new memory is zero", zero);
    memset(start, 0x5a, 100000);
    int pid = fork();
    if (pid == 0) {
        memset(start, 1, 100000);
        exit(start[99999]);
    }
    check("a child has its own memory",
          wait(&status) == pid && status == 1 && start[0] == 0x5a && start[99999] == 0x5a);
    sbrk(-100000);
    /* The page table that memory needed may stay. */
    check("memory comes back", before - freepages() <= 1);
    check("memory has an end", sbrk(1 << 25) == (void *)-1 && freepages() >= before - 1);
}

static void faults(void)
{
    int ended = 0;
    const char *kinds = "lsktxcwbaoj";
    for (const char *kind = kinds; *kind; kind++) {
        char argument[2] = {*kind, 0};
        char *argv[] = {"fault", argument, NULL};
        ended += run("fault", argv) == -1;
    }
    check("forbidden things end a process", ended == 11);
}

static void arithmetic(void)
{
    volatile uint64 a = 0x123456789abcdef0ull, b = 1000000007ull;
    volatile int zero = 0, low = (int)0x80000000, one = -1;
    check("64-bit division", a / b == 1311768458 && a % b == 281411114);
    check("division by zero and overflow",
          (volatile int)(7 / zero) == -1 && 7 % zero == 7 && low / one == low && low % one == 0);
}

static void files(void)
{
    char buf[64];
    struct record record = {1, 0, 0xbeef, 1};
    int n, lines = 0, fd = open("log", 1, 1);
    if (fd < 0) {
        printf("init: no files\n");
        return;
    }
    close(fd);
    fd = open("record", 1, 0);
    n = read(fd, &record, sizeof(record));
    if (n != (int)sizeof(record))
        printf("init: first record of %u bytes\n", (uint32)sizeof(record));
    close(fd);
    record.boot++;
    record.big = record.big * 6364136223846793005ull + 1442695040888963407ull;
    fd = open("record", 1, 0);
    check("a record is written", write(fd, &record, sizeof(record)) == (int)sizeof(record));
    close(fd);
    printf("init: record %u, mark %x, number %llu\n", record.boot, record.mark, record.big);
    fd = open("log", 1, 1);
    memmove(buf, "boot ..........\n", 16);
    buf[5] = (char)('0' + record.boot / 10 % 10);
    buf[6] = (char)('0' + record.boot % 10);
    check("a line is added", write(fd, buf, 16) == 16);
    close(fd);
    fd = open("log", 0, 0);
    while ((n = read(fd, buf, 16)) == 16)
        lines++;
    close(fd);
    check("as many lines as boots", lines == (int)record.boot);
    check("no file beyond its room", (fd = open("log", 0, 0)) >= 0 && write(fd, buf, 5000) == -1);
    close(fd);
}

static void shell(void)
{
    int status;
    char line[20];
    printf("init: Enter starts a shell\n");
    int pid = fork();
    if (pid == 0) {
        readline(line, sizeof(line));
        char *argv[] = {"sh", NULL};
        exec("sh", argv);
        exit(-1);
    }
    int clock = fork();
    if (clock == 0) {
        sleep(500);
        exit(0);
    }
    int first = wait(&status);
    if (first == clock) {
        printf("init: nobody is there\n");
        return;
    }
    check("the shell ends", first == pid && status == 0);
}

int main(void)
{
    printf("init: process %d\n", getpid());
    arithmetic();
    processes();
    preemption();
    memory();
    faults();
    files();
    shell();
    return failures ? 1 : 0;
}
