_start:
    ld   a0, 0(sp)
