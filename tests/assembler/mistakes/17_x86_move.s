_start:
    mov  a0, a1
