15_shift_by_32.s: Assembler messages:
15_shift_by_32.s:2: Error: improper shift amount (32)
