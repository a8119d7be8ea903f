_start:
    addi a0, a1, 5000
