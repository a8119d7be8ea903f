_start:
    la   a1, table
    lw   a0, a1
    .data
table:
    .word 1
