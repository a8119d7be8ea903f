27_octal_by_accident.s: Assembler messages:
27_octal_by_accident.s:2: Error: illegal operands `li a0,08'
