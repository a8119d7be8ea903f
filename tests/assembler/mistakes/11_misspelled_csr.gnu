11_misspelled_csr.s: Assembler messages:
11_misspelled_csr.s:2: Error: unknown CSR `mstaus'
