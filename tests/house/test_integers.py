"""The integer convention: edge values through every arithmetic instruction, against the model."""

from __future__ import annotations

import itertools

import pytest

from tests.naive import NaiveHart
from tests.support.asm import BRANCHES, I_TYPE, R_TYPE, SHIFTS, Asm
from tests.support.programs import RAM_BASE
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

EDGES = (
    *(0, 1, 2, 3, 7, 31, 32, 33, 0x7F, 0x80, 0xFF, 0x7FF, 0x800, 0xFFF, 0x7FFF, 0x8000),
    *(0xFFFF, 0x1_0000, 0x5555_5555, 0xAAAA_AAAA, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000),
    *(0x8000_0001, 0xFFFF_0000, 0xFFFF_8000, 0xFFFF_F800, 0xFFFF_FFFE, 0xFFFF_FFFF),
)
IMMEDIATES = (-2048, -2047, -33, -32, -2, -1, 0, 1, 2, 31, 32, 33, 2046, 2047)
RAM = 1 << 20
TABLE, LOG = RAM_BASE + 0x4000, RAM_BASE + 0x8000


def image(body: Asm) -> bytes:
    """`body` for every pair of the table: x8 and x9 in, x10 logged."""
    a = Asm(RAM_BASE)
    a.addi(11, 0, 0)
    a.li(5, TABLE)
    a.li(6, LOG)
    a.li(7, TABLE + 8 * len(EDGES) ** 2)
    a.label("next")
    a.lw(8, 0, 5)
    a.lw(9, 4, 5)
    a.addi(10, 0, 0)
    a.word(*body.words())
    a.sw(10, 0, 6)
    a.addi(5, 5, 8)
    a.addi(6, 6, 4)
    a.bne(5, 7, "next")
    a.label("end")
    a.j("end")
    code = bytearray(a.image().ljust(TABLE - RAM_BASE, b"\0"))
    for pair in itertools.product(EDGES, EDGES):
        for value in pair:
            code += value.to_bytes(4, "little")
    return bytes(code)


def check(body: Asm, kinds: tuple[type, ...] = (Machine,)) -> None:
    """Both sides run the same program; the logs must be equal."""
    program = image(body)
    steps = 10 + (8 + len(body.words())) * len(EDGES) ** 2
    model = NaiveHart(RAM)
    model.load_program(program)
    model.run(steps)
    at = LOG - RAM_BASE
    size = 4 * len(EDGES) ** 2
    wanted = bytes(model.ram[at : at + size])
    assert any(wanted), "the program ran"
    for kind in kinds:
        computer = kind(ram=RAM, bios="none")
        computer.load(program)
        assert computer.run(steps).reason == "budget"
        got = computer.read_phys(LOG, size)
        assert got is not None
        for index, (a, b) in enumerate(itertools.product(EDGES, EDGES)):
            ours = int.from_bytes(got[4 * index : 4 * index + 4], "little")
            theirs = int.from_bytes(wanted[4 * index : 4 * index + 4], "little")
            assert ours == theirs, f"{a:#x}, {b:#x}: {ours:#x}, expected {theirs:#x}"
        assert [int(v) for v in computer.x[1:32]] == model.x[1:]


@pytest.mark.parametrize("name", R_TYPE)
def test_register_instructions(name: str) -> None:
    body = Asm()
    body.op(name, 10, 8, 9)
    check(body, (Machine, Vm) if name in ("div", "mulhsu") else (Machine,))


def test_immediate_instructions() -> None:
    """All of them and all immediates at once: each result is mixed into one word."""
    body = Asm()
    for name in I_TYPE:
        if name != "jalr":
            for value in IMMEDIATES:
                body.op(name, 11, 8, value)
                body.slli(12, 10, 5)
                body.srli(10, 10, 27)
                body.or_(10, 10, 12)
                body.xor(10, 10, 11)
    check(body)


def test_shifts_by_every_amount() -> None:
    body = Asm()
    for name in SHIFTS:
        for amount in range(32):
            body.op(name, 11, 8, amount)
            body.slli(12, 10, 3)
            body.srli(10, 10, 29)
            body.or_(10, 10, 12)
            body.add(10, 10, 11)
    check(body)


@pytest.mark.parametrize("name", BRANCHES)
def test_branches(name: str) -> None:
    body = Asm()
    body.addi(10, 0, 1)
    body.op(name, 8, 9, 8)
    body.addi(10, 0, 2)
    check(body)


@pytest.mark.parametrize("first", ["add", "addi", "slli", "andi", "lui"])
def test_pairs_that_the_loop_does_at_once(first: str) -> None:
    """Instructions that may be fused with the next one, with the same and other registers."""
    body = Asm()
    seconds = [("add", 10, 10, 9), ("addi", 10, 10, -7), ("addi", 11, 8, 5), ("add", 10, 8, 10)]
    for second in seconds:
        for destination in (10, 11):
            if first == "add":
                body.add(destination, 8, 9)
            elif first == "addi":
                body.addi(destination, 8, 2047)
            elif first == "slli":
                body.slli(destination, 8, 13)
            elif first == "andi":
                body.andi(destination, 9, -16)
            else:
                body.lui(destination, 0xFFFFF)
            body.op(*second)
            body.xor(10, 10, 11)
    for name in BRANCHES:
        body.add(11, 8, 9)
        body.op(name, 11, 9, 8)
        body.addi(10, 10, 3)
        body.addi(11, 8, -1)
        body.op(name, 11, 0, 8)
        body.xori(10, 10, 0x55)
        body.andi(11, 8, 4)
        body.op(name, 11, 0, 8)
        body.addi(10, 10, 17)
    check(body)


def test_subword_loads_extend_as_they_should() -> None:
    body = Asm()
    body.li(11, RAM_BASE + 0x2000)
    body.sw(8, 0, 11)
    body.sw(9, 4, 11)
    for name, offset in itertools.product(("lb", "lbu", "lh", "lhu", "lw"), range(5)):
        body.op(name, 12, offset, 11)
        body.slli(13, 10, 7)
        body.srli(10, 10, 25)
        body.or_(10, 10, 13)
        body.xor(10, 10, 12)
    check(body, (Machine, Vm))
