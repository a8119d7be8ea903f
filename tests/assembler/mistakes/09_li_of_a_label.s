_start:
    li   a0, message
    j    _start
    .data
message:
    .asciz "hello"
