/* user.h: what a user program of ckernel can use. */
#ifndef USER_H
#define USER_H

#include "../common/lib.h"
#include "../common/types.h"

int fork(void);
void exit(int status) __attribute__((noreturn));
int wait(int *status);
int read(int fd, void *to, uint32 n);
int write(int fd, const void *from, uint32 n);
int open(const char *name, int create, int end);
int close(int fd);
void *sbrk(int n);
int sleep(int ticks);
int uptime(void);
int getpid(void);
int exec(const char *path, char **argv);
int list(int index, char name[20]);
int freepages(void);
int nosuchcall(void);

void printf(const char *text, ...) __attribute__((format(printf, 1, 2)));
int readline(char *to, uint32 room);
/* fork, exec and wait: the exit status, or -1 if it cannot start. */
int run(const char *path, char **argv);

#endif
