_start:
    li   a0, 0x100000000
