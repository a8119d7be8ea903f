# programs.S: the user programs, as ELF files inside the kernel; a table of names for exec().
    .macro program name
    .section .rodata
    .align 4
\name\()_elf:
    .incbin "\name\().elf"
\name\()_elf_end:
\name\()_name:
    .asciz "\name"
    .section .rodata.programs, "a"
    .align 2
    .word \name\()_name, \name\()_elf, \name\()_elf_end
    .endm

    .section .rodata.programs, "a"
    .globl programs
    .align 2
programs:
    program init
    program primes
    program fault
    program sh
    .section .rodata.programs, "a"
    .word 0, 0, 0
