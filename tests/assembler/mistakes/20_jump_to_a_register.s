_start:
    j    ra
