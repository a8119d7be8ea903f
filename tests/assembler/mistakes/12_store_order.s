_start:
    sw   0(sp), ra
