_start:
    csrr a0, mstaus
