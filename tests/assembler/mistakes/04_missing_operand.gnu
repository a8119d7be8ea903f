04_missing_operand.s: Assembler messages:
04_missing_operand.s:2: Error: illegal operands `add a0,a1'
