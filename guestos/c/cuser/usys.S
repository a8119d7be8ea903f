# usys.S: system calls: the number in a7, then ecall.
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    .option norvc
    la   gp, __global_pointer$
    .option pop
    call main
    j    exit

    .section .text
    .macro syscall name, number
    .globl \name
\name:
    li   a7, \number
    ecall
    ret
    .endm

    syscall fork, 1
    syscall exit, 2
    syscall wait, 3
    syscall read, 4
    syscall write, 5
    syscall open, 6
    syscall close, 7
    syscall sbrk, 8
    syscall sleep, 9
    syscall uptime, 10
    syscall getpid, 11
    syscall exec, 12
    syscall list, 13
    syscall freepages, 14
    syscall nosuchcall, 99
