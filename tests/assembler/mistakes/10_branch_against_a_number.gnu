10_branch_against_a_number.s: Assembler messages:
10_branch_against_a_number.s:2: Error: illegal operands `beq a0,5,_start'
