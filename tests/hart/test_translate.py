"""Tier 2 against tier 1: random programs in lock step, bare and virtualised, and on the model.

Both tiers must agree in everything after every run, whatever its length: registers, CSRs, the
clock, reservation, RAM, and even the software TLB.
"""

from __future__ import annotations

import os

import pytest

from tests.house.test_integers import EDGES, IMMEDIATES, LOG, RAM, image
from tests.naive import NaiveHart
from tests.support.asm import BRANCHES, I_TYPE, R_TYPE, SHIFTS, Asm
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.programs import RAM_BASE, Program, chaos_program, user_program
from tests.support.tiers import Tiers, sizes, translate_eagerly
from toyvm.hart.translate.backend import unavailable
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

FULL = bool(os.environ.get("TOYVM_FULL"))


def seeds(few: int, many: int) -> range:
    """Programs of a normal run, and of a long one."""
    return range(7000, 7000 + (many if FULL else few))


def compare(program: Program, seed: int, steps: int, kind: type, **options: object) -> Tiers:
    """Twice through the program: the second time all of it is translated."""
    pair = Tiers(program.image, kind, ram=program.ram_size, **options)
    start = pair.one.pc
    for turn in range(2):
        for size in sizes(seed + turn, steps):
            if pair.run(size).reason != "budget":
                break
        if pair.one.stopped is not None:
            break
        for computer in (pair.one, pair.two):
            computer.set_pc(start)
    pair.finish()
    return pair


@pytest.mark.parametrize("seed", seeds(12, 2000))
def test_user_programs(seed: int) -> None:
    program = user_program(seed)
    pair = compare(program, seed, program.steps, (Machine, Vm)[seed & 1], bios="none")
    assert pair.translator.installed


@pytest.mark.parametrize("seed", seeds(10, 1000))
def test_machine_kernels(seed: int) -> None:
    """Paging, PMP, timers, delegation, mode changes, faults of every kind."""
    program = machine_kernel(seed)
    pair = compare(program, seed, 4000, (Machine, Vm)[seed & 1], bios="none")
    assert pair.translator.installed


@pytest.mark.parametrize("seed", seeds(6, 500))
def test_supervisor_kernels(seed: int) -> None:
    program = supervisor_kernel(seed)
    pair = compare(program, seed, 4000, (Machine, Vm)[seed & 1], bios="sbi")
    assert pair.translator.installed


@pytest.mark.parametrize("seed", seeds(6, 500))
def test_chaos(seed: int) -> None:
    """Random words as code, which also overwrite code."""
    program = chaos_program(seed)
    compare(program, seed, program.steps, (Machine, Vm)[seed & 1], bios="none")


# ---- every instruction on edge values, judged by the independent model -----------------------


def check(body: Asm, share: float = 0.5) -> None:
    """The body for every pair of edge values, translated from the second pair on.

    `share` of the steps must have been made by translated code.
    """
    program = image(body)
    steps = 10 + (8 + len(body.words())) * len(EDGES) ** 2
    model = NaiveHart(RAM)
    model.load_program(program)
    model.run(steps)
    machine = Machine(ram=RAM, bios="none")
    translator = translate_eagerly(machine)
    machine.load(program)
    first = 40 + 2 * len(body.words())
    machine.run(first)
    machine.run(9)
    assert translator.installed
    assert machine.run(steps - first - 9).reason == "budget"
    assert translator.steps() > share * steps
    size = 4 * len(EDGES) ** 2
    at = LOG - RAM_BASE
    assert machine.read_phys(LOG, size) == bytes(model.ram[at : at + size])
    assert [int(v) for v in machine.x[1:32]] == model.x[1:]


def mix(body: Asm, register: int) -> None:
    """Rotate x10 and add the register to it."""
    body.slli(12, 10, 5)
    body.srli(10, 10, 27)
    body.or_(10, 10, 12)
    body.xor(10, 10, register)


def test_register_instructions() -> None:
    body = Asm()
    for name in R_TYPE:
        body.op(name, 11, 8, 9)
        mix(body, 11)
    check(body)


def test_immediate_instructions_and_shifts() -> None:
    body = Asm()
    for name in I_TYPE:
        if name != "jalr":
            for value in IMMEDIATES:
                body.op(name, 11, 8, value)
                mix(body, 11)
    check(body)
    body = Asm()
    for name in SHIFTS:
        for amount in (0, 1, 15, 16, 31):
            body.op(name, 11, 8, amount)
            mix(body, 11)
    check(body)


def test_branches() -> None:
    body = Asm()
    for name in BRANCHES:
        body.op(name, 8, 9, 8)
        body.xori(10, 10, 0x55)
        body.addi(10, 10, 3)
        mix(body, 9)
    check(body)


def test_loads_and_stores_extend_and_leave_their_neighbours_alone() -> None:
    body = Asm()
    body.li(11, RAM_BASE + 0x2000)
    body.sw(8, 0, 11)
    body.sw(9, 4, 11)
    body.op("sb", 9, 1, 11)
    body.op("sh", 8, 6, 11)
    for name in ("lb", "lbu", "lh", "lhu", "lw"):
        for offset in range(5):
            body.op(name, 13, offset, 11)
            mix(body, 13)
    # What is misaligned leaves the region.
    check(body, 0.3)
