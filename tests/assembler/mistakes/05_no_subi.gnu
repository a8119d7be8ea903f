05_no_subi.s: Assembler messages:
05_no_subi.s:2: Error: illegal operands `sub a0,a0,1'
