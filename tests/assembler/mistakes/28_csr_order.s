_start:
    csrr mstatus, a0
