_start:
    j    _start
    .data
text:
    .asciiz "hello"
    .globl text
