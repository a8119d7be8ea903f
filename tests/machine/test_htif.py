"""HTIF: what a bare program says through `tohost`, here and on Spike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assembler import Image, Source, assemble
from tests.guestos.test_probes import SPIKE_ISA, needs_spike, spike_program
from toyvm.hypervisor import Vm
from toyvm.machine import Machine, Stop

KINDS = pytest.mark.parametrize("kind", [Machine, Vm])

# The system call interface of riscv-tests' benchmarks: eight double words in memory.
PROGRAM = """
    .equ SYS_CLOSE, 57
    .equ SYS_READ, 63
    .equ SYS_WRITE, 64
    .equ SYS_EXIT, 93
    .globl _start
    .globl tohost
    .globl fromhost
# call NUMBER, FIRST, SECOND, THIRD: a system call; the result is in a0.
.macro call number, first, second, third
    la   s0, request
    li   t0, \\number
    sw   t0, 0(s0)
    li   t0, \\first
    sw   t0, 8(s0)
    la   t0, \\second
    sw   t0, 16(s0)
    li   t0, \\third
    sw   t0, 24(s0)
    fence
    la   s1, tohost
    la   s2, fromhost
    sw   s0, 0(s1)
1:  lw   t0, 0(s2)
    beqz t0, 1b
    sw   zero, 0(s2)
    lw   a0, 0(s0)
.endm
_start:
    {body}
    slli a0, a0, 1
    ori  a0, a0, 1
    la   s1, tohost
    sw   a0, 0(s1)
    sw   zero, 4(s1)
1:  j    1b
    .data
    .align 6
tohost:
    .space 64
fromhost:
    .space 64
request:
    .space 64
text:
    .ascii "a line\\n"
buffer:
    .space 16
"""


def image(body: str) -> Image:
    return assemble(Source("htif.s", PROGRAM.replace("{body}", body)))


def run(kind: type, body: str, typed: bytes = b"") -> tuple[Stop, bytes]:
    machine = kind(ram=1 << 20, bios="none")
    machine.load(image(body))
    machine.feed(typed)
    return machine.run(10_000), machine.console_output


WRITE = "call SYS_WRITE, 1, text, 7"
BODIES = {
    "write": (WRITE, b"a line\n", 7),
    "write twice": (f"{WRITE}\n{WRITE}", b"a line\n" * 2, 7),
    "exit": (f"{WRITE}\ncall SYS_EXIT, 5, text, 0", b"a line\n", 5),
}


@KINDS
@pytest.mark.parametrize("name", list(BODIES))
def test_calls(kind: type, name: str) -> None:
    body, output, code = BODIES[name]
    assert run(kind, body) == (Stop("exit", code, "tohost"), output)


def on_spike(body: str, folder: Path) -> tuple[bytes, int]:
    """What a program puts out on Spike, and its exit code."""
    path = folder / "htif.elf"
    path.write_bytes(image(body).to_elf())
    program = spike_program()
    assert program
    command = [program, f"--isa={SPIKE_ISA}", "-m16", str(path)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    return done.stdout, done.returncode


@needs_spike
@pytest.mark.parametrize("name", list(BODIES))
def test_spike_answers_the_same(name: str, tmp_path: Path) -> None:
    body, output, code = BODIES[name]
    assert on_spike(body, tmp_path) == (output, code)


@KINDS
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("call SYS_WRITE, 7, text, 7\nneg a0, a0", 9),
        ("call SYS_WRITE, 1, 0x1000, 7\nneg a0, a0", 14),
        ("call SYS_READ, 0, 0x1000, 7\nneg a0, a0", 14),
        ("call SYS_READ, 3, buffer, 7\nneg a0, a0", 9),
        ("call SYS_CLOSE, 1, text, 0", 0),
        ("call 12345, 1, text, 0\nneg a0, a0", 38),
        ("la s1, tohost\nli t0, 0x40000000\nsw t0, 0(s1)\nli a0, 3", 3),
    ],
)
def test_calls_that_are_refused(kind: type, body: str, code: int) -> None:
    assert run(kind, body) == (Stop("exit", code, "tohost"), b"")


@KINDS
def test_reading_the_console(kind: type) -> None:
    body = "call SYS_READ, 0, buffer, 16\nmv s9, a0\ncall SYS_WRITE, 1, buffer, 3\nmv a0, s9"
    assert run(kind, body, b"xyz") == (Stop("exit", 3, "tohost"), b"xyz")


GET = """
    la   s1, tohost
    la   s2, fromhost
    li   t0, 0x01000000
    sw   t0, 4(s1)
    sw   zero, 0(s1)
1:  lw   a0, 0(s2)
    beqz a0, 1b
    lw   s4, 4(s2)
    sw   zero, 0(s2)
    sw   zero, 4(s2)
    srli s4, s4, 24
    addi s4, s4, -1
    bnez s4, 1b
    andi a0, a0, 0xff
"""


@KINDS
def test_asking_for_a_character(kind: type) -> None:
    """Device 1, command 0: the answer names the command and has bit 8 of its payload set."""
    assert run(kind, GET, b"A") == (Stop("exit", 65, "tohost"), b"")
    machine = kind(ram=1 << 20, bios="none")
    machine.load(image(GET))
    assert machine.run(10_000).reason == "budget"
    machine.feed(b"B")
    assert machine.run(10_000) == Stop("exit", 66, "tohost")


# What gcc makes of a 64-bit store, in either order, and characters that are zero or odd.
LOW_FIRST = "sw   a0, 0(s1)\nsw   a1, 4(s1)"
HIGH_FIRST = "sw   a1, 4(s1)\nsw   a0, 0(s1)"
FAR_APART = "sw   a0, 0(s1)\n.rept 99\nnop\n.endr\nsw   a1, 4(s1)"
PUT = """
    la   s1, tohost
    li   a1, 0x01010000
    la   s0, text
    li   s2, 7
2:  lbu  a0, 0(s0)
    {store}
1:  lw   t0, 0(s1)
    lw   t1, 4(s1)
    or   t0, t0, t1
    bnez t0, 1b
    addi s0, s0, 1
    addi s2, s2, -1
    bnez s2, 2b
    li   a0, 0
    {store}
    li   a0, 5
"""
ORDERS = pytest.mark.parametrize("store", [LOW_FIRST, HIGH_FIRST, FAR_APART])


@KINDS
@ORDERS
def test_the_halves_of_a_command_come_in_any_order(kind: type, store: str) -> None:
    body = PUT.replace("{store}", store)
    assert run(kind, body) == (Stop("exit", 5, "tohost"), b"a line\n\0")


@KINDS
def test_asking_low_half_first(kind: type) -> None:
    high, low = "    sw   t0, 4(s1)\n", "    sw   zero, 0(s1)\n"
    body = GET.replace(high + low, low + high)
    assert body != GET
    assert run(kind, body, b"A") == (Stop("exit", 65, "tohost"), b"")


@needs_spike
@ORDERS
def test_spike_takes_the_halves_in_any_order(store: str, tmp_path: Path) -> None:
    # Spike looks at its own times, so the last character waits for the others to be gone.
    body = PUT.replace("{store}", store).replace(
        "    li   a0, 5", "4:  lw t0, 4(s1)\n    bnez t0, 4b\n    li   a0, 5"
    )
    assert on_spike(body, tmp_path) == (b"a line\n\0", 5)


@KINDS
@pytest.mark.parametrize("end", ["1: j 1b", "1: wfi\nj 1b", "2: j 2b", "wfi"])
def test_one_half_is_enough_to_end(kind: type, end: str) -> None:
    """Later, or at once if the guest goes to sleep; in the same step however it is run."""
    body = f"la s1, tohost\nli a0, 9\nsw a0, 0(s1)\n{end}\n"
    program = image(body)
    clocks = []
    for slice_ in (10_000, 7):
        machine = kind(ram=1 << 20, bios="none")
        machine.load(program)
        for _ in range(10_000 // slice_):
            stop = machine.run(slice_)
            if stop.reason == "exit":
                break
        assert stop == Stop("exit", 4, "tohost")
        clocks.append(machine.clock)
    assert clocks[0] == clocks[1] < 1100
