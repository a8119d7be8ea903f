_start:
    addi sp, sp, -6
    sw   ra, 0(sp)
    j    _start
