_start:
    li   a0, 08
