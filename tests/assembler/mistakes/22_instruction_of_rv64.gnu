22_instruction_of_rv64.s: Assembler messages:
22_instruction_of_rv64.s:2: Error: unrecognized opcode `ld a0,0(sp)'
