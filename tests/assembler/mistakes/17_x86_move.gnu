17_x86_move.s: Assembler messages:
17_x86_move.s:2: Error: unrecognized opcode `mov a0,a1'
