03_misspelled_mnemonic.s: Assembler messages:
03_misspelled_mnemonic.s:2: Error: unrecognized opcode `adid a0,a0,1'
