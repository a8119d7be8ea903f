_start:
    beq  a0, 5, _start
