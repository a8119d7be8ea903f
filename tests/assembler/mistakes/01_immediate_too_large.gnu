01_immediate_too_large.s: Assembler messages:
01_immediate_too_large.s:2: Error: illegal operands `addi a0,a1,5000'
