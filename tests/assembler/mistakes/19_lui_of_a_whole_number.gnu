19_lui_of_a_whole_number.s: Assembler messages:
19_lui_of_a_whole_number.s:2: Error: lui expression not in range 0..1048575
19_lui_of_a_whole_number.s:2: Error: value of 45678000 too large for field of 4 bytes at 00000000
