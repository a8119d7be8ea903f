16_mips_registers.s: Assembler messages:
16_mips_registers.s:2: Error: illegal operands `add $t0,$t1,$t2'
