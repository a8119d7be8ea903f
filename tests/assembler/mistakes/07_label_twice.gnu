07_label_twice.s: Assembler messages:
07_label_twice.s:6: Error: symbol `done' is already defined
