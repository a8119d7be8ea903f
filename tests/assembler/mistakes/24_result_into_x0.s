_start:
    add  zero, a0, a1
    j    _start
