"""Random programs on several harts that share everything: equal to the independent model.

All harts run the same code on the same words: plain and misaligned accesses, AMOs, reservations,
software interrupts to each other, timers, wfi, and stores into the code itself.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tests.support.asm import AMOS, Asm
from tests.support.clint import CLINT_BASE
from tests.support.naive_harts import NaiveHarts
from toyvm.hart import state as s
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

RAM_BASE = 0x8000_0000
RAM = 64 << 10
DATA = RAM_BASE + 0x4000
TARGETS = (5, 6, 7, 10, 11, 12, 13, 14, 15)
SHARED, CLINT, HART, CODE, OWN, ONE = 8, 9, 18, 19, 21, 20  # registers that stay
WORDS = (SHARED, 16, 17)  # registers that hold addresses of shared words
CSRS = ("mstatus", "mepc", "mcause", "mtval", "mip", "mie", "mscratch", "mhartid", "mcycle",
        "minstret", "time")  # fmt: skip
READABLE = (0xC01, 0xB00, 0xB02, 0x344, 0xF14, 0x340)  # time mcycle minstret mip mhartid mscratch
FULL = bool(os.environ.get("TOYVM_FULL"))


def handler(a: Asm) -> None:
    """Clear what interrupted; go on behind what trapped."""
    a.label("handler")
    a.csrr(28, 0x342)
    a.bge(28, 0, "exception")
    a.andi(28, 28, 15)
    a.addi(28, 28, -3)
    a.bne(28, 0, "timer")
    a.slli(28, HART, 2)
    a.add(28, 28, CLINT)
    a.sw(0, 0, 28)
    a.mret()
    a.label("timer")
    a.addi(28, 0, -1)
    a.sw(28, 4, OWN)
    a.sw(28, 0, OWN)
    a.mret()
    a.label("exception")
    a.csrr(28, 0x341)
    a.addi(28, 28, 4)
    a.csrw(0x341, 28)
    a.mret()


def program(rng: random.Random, harts: int) -> bytes:
    """A loop of random instructions; every hart begins with other register values."""
    a = Asm(RAM_BASE)
    a.csrr(HART, 0xF14)
    a.la(28, "handler")
    a.csrw(0x305, 28)
    a.li(SHARED, DATA)
    a.addi(16, SHARED, 8)
    a.addi(17, SHARED, 0x18)
    a.li(CLINT, CLINT_BASE)
    a.la(CODE, "loop")
    a.slli(OWN, HART, 3)
    a.li(28, CLINT_BASE + 0x4000)
    a.add(OWN, OWN, 28)
    a.addi(ONE, 0, 1)
    a.li(28, 0x88)
    a.csrw(0x304, 28)
    for register in TARGETS:
        a.li(register, rng.getrandbits(32))
        a.add(register, register, HART)
    a.label("loop")
    for _ in range(rng.randint(20, 60)):
        instruction(a, rng, harts)
    a.j("loop")
    handler(a)
    return a.image()


def instruction(a: Asm, rng: random.Random, harts: int) -> None:
    rd, first, second = (rng.choice(TARGETS) for _ in range(3))
    word = rng.choice(WORDS)
    kind = rng.randrange(16)
    if kind < 4:
        a.op(rng.choice(("add", "sub", "xor", "sltu", "mul", "sll", "slt")), rd, first, second)
    elif kind < 6:
        a.op(rng.choice(("lw", "lhu", "lb")), rd, rng.randrange(40), SHARED)
    elif kind < 8:
        a.op(rng.choice(("sw", "sh", "sb")), rd, rng.randrange(40), SHARED)
    elif kind == 8:
        a.op(rng.choice(sorted(AMOS)), rd, word, first)
    elif kind == 9:
        a.lr(rd, word)
        if rng.random() < 0.5:
            a.addi(rd, rd, 1)
        a.sc(first, word, rd)
    elif kind == 10:
        if rng.random() < 0.5:
            a.lr(rd, word)
        else:
            a.sc(rd, word, first)
    elif kind == 11:
        a.sw(rng.choice((ONE, ONE, 0)), 4 * rng.randrange(harts), CLINT)
    elif kind == 12:
        a.csrr(29, 0xC01)
        a.addi(29, 29, rng.randrange(1, 60))
        a.sw(0, 4, OWN)
        a.sw(29, 0, OWN)
    elif kind == 13:
        a.wfi()
    elif kind == 14:
        if rng.random() < 0.5:
            a.op(rng.choice(("csrrsi", "csrrci")), 0, 0x300, 8)
        else:
            a.csrr(rd, rng.choice(READABLE))
    else:
        patch = Asm()
        patch.op(rng.choice(("add", "xor", "sub")), rd, first, second)
        a.li(28, patch.words()[0])
        a.sw(28, 4 * rng.randrange(20), CODE)


class Pair:
    """A computer with several harts, and the model of it."""

    def __init__(self, kind: type, seed: str) -> None:
        rng = random.Random(seed)
        harts = rng.choice((2, 2, 3, 4, 8))
        turn = rng.choice((1, 2, 3, 5, 8, 17, 64))
        count = {"harts" if kind is Machine else "vcpus": harts}
        self.computer: Any = kind(ram=RAM, bios="none", turn=turn, **count)
        self.computer.load(program(rng, harts))
        self.model = NaiveHarts(harts, turn, RAM)
        ram = self.computer.read_phys(RAM_BASE, RAM)
        self.model.harts[0].ram[:] = ram
        for hart, naive in zip(self.computer.harts, self.model.harts, strict=True):
            naive.x[:] = [int(value) for value in hart.x[:32]]
        self.name = f"{seed}: {harts} harts, turns of {turn}"
        self.rng = rng

    def quick(self, step: int) -> None:
        for i, (hart, naive) in enumerate(zip(self.computer.harts, self.model.harts, strict=True)):
            ours = int(hart.record[s.PC]), int(hart.record[s.STEPS]), hart.x[:32].tolist()
            assert ours == (naive.pc, naive.steps, naive.x), f"{self.name}: hart {i}, step {step}"

    def whole(self, step: int) -> None:
        self.quick(step)
        for i, naive in enumerate(self.model.harts):
            self.computer.select(i)
            ours = {name: self.computer.csr(name) for name in CSRS}
            theirs = {name: naive.csr(name) for name in CSRS}
            assert ours == theirs, f"{self.name}: hart {i}, step {step}"
        ram = self.computer.read_phys(RAM_BASE, RAM)
        assert ram == bytes(self.model.harts[0].ram), f"{self.name}: RAM, step {step}"


def programs(count: int) -> range:
    return range(count * 50 if FULL else count)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_step_by_step(kind: type) -> None:
    for number in programs(40):
        pair = Pair(kind, f"steps {number}")
        for step in range(300):
            pair.model.step()
            pair.computer.run(1)
            pair.quick(step)
            if step % 50 == 0:
                pair.whole(step)
            if pair.model.stuck:
                break
        pair.whole(300)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_in_chunks(kind: type) -> None:
    """As a fast machine really runs: warm, and with many turns in one call."""
    lengths = []
    for number in programs(60):
        pair = Pair(kind, f"chunks {number}")
        done = 0
        while done < 3000 and not pair.model.stuck:
            size = pair.rng.choice((1, 10, 100, 1000))
            for _ in range(size):
                pair.model.step()
                if pair.model.stuck:
                    break
            pair.computer.run(size)
            done += size
            pair.whole(done)
        lengths.append(done)
    assert sum(lengths) > 1500 * len(lengths), "too many programs fall asleep for ever"


def test_the_model_can_tell_a_wrong_turn() -> None:
    """A machine with turns of another length is not taken for the same."""
    pair = Pair(Machine, "wrong turn")
    pair.model.turn = pair.model.left = pair.model.turn + 1

    def compare() -> None:
        for step in range(300):
            pair.model.step()
            pair.computer.run(1)
            pair.quick(step)

    with pytest.raises(AssertionError, match="wrong turn"):
        compare()
