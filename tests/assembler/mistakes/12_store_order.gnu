12_store_order.s: Assembler messages:
12_store_order.s:2: Error: illegal operands `sw 0(sp),ra'
