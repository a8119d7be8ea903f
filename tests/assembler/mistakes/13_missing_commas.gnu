13_missing_commas.s: Assembler messages:
13_missing_commas.s:2: Error: illegal operands `add a0 a1 a2'
