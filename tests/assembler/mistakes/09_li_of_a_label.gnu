09_li_of_a_label.s: Assembler messages:
09_li_of_a_label.s:2: Error: illegal operands `li a0,message'
