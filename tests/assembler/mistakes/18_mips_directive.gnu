18_mips_directive.s: Assembler messages:
18_mips_directive.s:5: Error: unknown pseudo-op: `.asciiz'
