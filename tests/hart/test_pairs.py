"""Every instruction after every other one: the loop does frequent pairs in one go.

A cyclic sequence in which each ordered pair of kinds stands once runs in lock step with the model:
in long runs, in runs of a few steps (which end between the two of a pair), with pages that drive
each other out of the software TLB, and with a breakpoint at each second instruction.
"""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from tests.support.asm import BRANCHES, LOADS, R_TYPE, SHIFTS, STORES, Asm
from tests.support.compare import lockstep_chunks
from tests.support.machine_adapter import MachineAdapter
from tests.support.programs import IMMEDIATE_OPS, RAM_BASE, Program
from toyvm.hart import ops
from toyvm.hart import state as s
from toyvm.jit import COMPILED

RAM = 4 << 20
NEAR, FAR = RAM_BASE + 0x10_0000, RAM_BASE + 0x20_0000
"""Two pages that share a set of the software TLB."""
POINTERS = (8, 9)
"""s0 and s1 always hold the address of NEAR or FAR; the first words of both pages too."""
VALUES = range(10, 16)
PAIRS = range(ops.NOP + 1, 64)
KINDS = (*LOADS, *STORES, *IMMEDIATE_OPS, *SHIFTS, *R_TYPE, *BRANCHES, "lui", "auipc", "pointer")


def every_pair(kinds: int) -> list[int]:
    """A cyclic sequence of range(kinds) in which each ordered pair stands exactly once."""
    ways = {kind: list(range(kinds)) for kind in range(kinds)}
    path, circuit = [0], []
    while path:
        if ways[path[-1]]:
            path.append(ways[path[-1]].pop())
        else:
            circuit.append(path.pop())
    return circuit[::-1]


def write(a: Asm, name: str, rng: random.Random) -> None:
    """One instruction; registers and offsets by chance, pointers stay pointers."""
    rd, rs1, rs2 = (rng.choice(VALUES) for _ in range(3))
    base, at = rng.choice(POINTERS), 8 + 4 * rng.randrange(64)
    if name == "pointer":
        # What the next access may use: its base, loaded.
        a.op("lw", rng.choice(POINTERS), rng.choice((0, 4)), base)
    elif name in LOADS:
        a.op(name, rng.choice((0, rd, rd, rd)), at, base)
    elif name in STORES:
        a.op(name, rs2, at, base)
    elif name in BRANCHES:
        a.op(name, rs1, rs2, 4)
    elif name in SHIFTS:
        a.op(name, rd, rs1, rng.randrange(32))
    elif name in ("lui", "auipc"):
        a.op(name, rd, rng.randrange(1 << 20))
    elif name in IMMEDIATE_OPS:
        a.op(name, rng.choice((0, rd, rd)), rs1, rng.randrange(-2048, 2048))
    else:
        a.op(name, rng.choice((0, rd, rd)), rs1, rs2)


def program(seed: int) -> tuple[Program, list[int]]:
    """All pairs in a loop without an end, and the addresses of its instructions."""
    rng = random.Random(f"pairs {seed}")
    a = Asm()
    for page in (NEAR, FAR):
        a.li(8, page)
        for at in (0, 4):
            a.li(9, rng.choice((NEAR, FAR)))
            a.op("sw", 9, at, 8)
    for register in VALUES:
        a.li(register, rng.getrandbits(32))
    a.label("again")
    places = []
    for kind in every_pair(len(KINDS)):
        places.append(a.here)
        write(a, KINDS[kind], rng)
    a.j("again")
    return Program(f"pairs {seed}", a.image(), 4 * len(places), RAM), places


def test_the_sequence_has_every_pair_once() -> None:
    order = every_pair(7)
    pairs = list(itertools.pairwise(order))
    assert len(pairs) == len(set(pairs)) == 49


@pytest.mark.parametrize("longest", [1, 3, 40, 2000])
def test_all_pairs_in_runs(longest: int) -> None:
    it, _ = program(longest)
    rng = random.Random(longest)
    dut = MachineAdapter.of(it)
    sizes = []
    while sum(sizes) < it.steps:
        sizes.append(rng.randint(1, longest))
    lockstep_chunks(dut, dut.model(), sizes, name=it.name, ram_every=400)


@pytest.mark.parametrize("parity", [0, 1])
def test_a_breakpoint_between_the_two(parity: int) -> None:
    """Stops before each second instruction, then goes on from there."""
    it, places = program(5)
    dut, alone = MachineAdapter.of(it), MachineAdapter.of(it)
    dut.machine.run(places[0] - RAM_BASE >> 2)
    for place in places[parity + 1 : 1200 : 2]:
        dut.machine.add_breakpoint(place)
        stop = dut.machine.run(100)
        assert (stop.reason, dut.machine.pc) == ("breakpoint", place)
        dut.machine.remove_breakpoint(place)
    alone.machine.run(dut.machine.steps)
    assert alone.machine.pc == dut.machine.pc
    assert np.array_equal(alone.machine.x, dut.machine.x)
    assert alone.ram_bytes() == dut.ram_bytes()


@pytest.mark.skipif(not COMPILED, reason="counts what the compiled loop decoded")
def test_the_loop_does_pairs_in_one_go() -> None:
    """So the runs above have met each code that stands for two instructions."""
    it, places = program(2000)
    dut = MachineAdapter.of(it)
    dut.machine.run(2 * len(places))
    dec = dut.machine.hart.core.dec
    used = int(dut.machine.record[s.NEXT_SLOT]) * ops.SLOT_ENTRIES
    assert set(np.unique(dec[:used] & 63).tolist()) >= set(PAIRS)
