21_label_without_colon.s: Assembler messages:
21_label_without_colon.s:2: Error: unrecognized opcode `loop'
