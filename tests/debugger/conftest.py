"""A session with a program that calls, loops, stores and ends."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from tests.debugger.naive_target import session
from toyvm.debugger.repl import one
from toyvm.debugger.session import Session

PROGRAM = """
    .globl _start
_start:
    la sp, stack_top
    la a0, text
    call puts
    li a0, 5
    call triple
loop:
    addi a0, a0, -1
    bnez a0, loop
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
end:
    j end

puts:
    addi sp, sp, -16
    sw ra, 12(sp)
    sw s0, 8(sp)
    mv s0, a0
next:
    lbu a0, 0(s0)
    beqz a0, done
    call putc
    addi s0, s0, 1
    j next
done:
    lw ra, 12(sp)
    lw s0, 8(sp)
    addi sp, sp, 16
    ret

putc:
    li t0, 0x10000000
    sb a0, 0(t0)
    ret

triple:
    slli t0, a0, 1
    add a0, a0, t0
    ret

    .data
text:
    .asciz "Hi!\\n"
    .align 2
words:
    .word 0x11223344, 0xdeadbeef, text
    .space 256
stack_top:
"""


class Talk:
    """A session driven by lines; `say` returns what was printed."""

    def __init__(self, made: Session, out: io.StringIO) -> None:
        self.session = made
        self.out = out
        self.going = True

    def say(self, *lines: str) -> str:
        self.out.seek(0)
        self.out.truncate()
        for line in lines:
            self.going = one(self.session, line)
        return self.out.getvalue()

    def address(self, name: str) -> int:
        return self.session.symbols.address(name)


@pytest.fixture
def start() -> Callable[[str], Talk]:
    def make(source: str) -> Talk:
        out = io.StringIO()
        return Talk(session(source, out), out)

    return make


@pytest.fixture
def talk(start: Callable[[str], Talk]) -> Talk:
    return start(PROGRAM)
