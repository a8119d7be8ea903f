_start:
    j    _start
    .data
text:
    .string "hello
    .globl text
