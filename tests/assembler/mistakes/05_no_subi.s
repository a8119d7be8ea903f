_start:
    sub  a0, a0, 1
