_start:
loop
    addi a0, a0, -1
    bnez a0, loop
