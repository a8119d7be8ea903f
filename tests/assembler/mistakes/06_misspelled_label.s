_start:
    call prnit
    j    _start
print:
    ret
