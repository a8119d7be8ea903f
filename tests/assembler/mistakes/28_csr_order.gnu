28_csr_order.s: Assembler messages:
28_csr_order.s:2: Error: illegal operands `csrr mstatus,a0'
