_start:
    lui  a0, 0x12345678
