_start:
    adid a0, a0, 1
