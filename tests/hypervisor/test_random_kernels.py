"""Seeded random kernels: delegation, paging, PMP, timers, mode changes, faults of every kind.

Each runs bare, virtualised and on the model, compared every few steps: registers, every CSR, the
clock, the reservation and at the end RAM.
"""

from __future__ import annotations

import random

import pytest

from tests.hypervisor.twin import Twin
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.programs import Program, chaos_program, user_program

STEPS = 4_000
MACHINE_SEEDS = range(1000, 1100)
SUPERVISOR_SEEDS = range(1000, 1050)
LINES = (9, 11)


def sizes(seed: int, total: int) -> list[int]:
    """Runs of very different length, `total` steps in all."""
    rng = random.Random(f"twin {seed}")
    out: list[int] = []
    left = total
    while left > 0:
        out.append(min(left, rng.choice((1, 1, 2, 3, 5, 9, 10, 40, 150, 700))))
        left -= out[-1]
    return out


def run(program: Program, seed: int, steps: int = STEPS, **options: object) -> Twin:
    twin = Twin(program.image, ram_size=program.ram_size, **options)  # type: ignore[arg-type]
    for size in sizes(seed, steps):
        if twin.run(size).reason != "budget":
            break
    twin.check_whole()
    return twin


@pytest.mark.parametrize("seed", MACHINE_SEEDS)
def test_machine_kernel(seed: int) -> None:
    run(machine_kernel(seed), seed)


@pytest.mark.parametrize("seed", SUPERVISOR_SEEDS)
def test_supervisor_kernel(seed: int) -> None:
    twin = run(supervisor_kernel(seed), seed, bios="sbi")
    assert twin.vm.csr("mscratch") == 0


@pytest.mark.parametrize("seed", range(1100, 1112))
def test_machine_kernel_in_every_variant(seed: int, variant: tuple[str, str]) -> None:
    run(machine_kernel(seed), seed)


@pytest.mark.parametrize("seed", range(1100, 1112))
def test_supervisor_kernel_in_every_variant(seed: int, variant: tuple[str, str]) -> None:
    run(supervisor_kernel(seed), seed, bios="sbi")


@pytest.mark.parametrize("seed", range(4))
def test_programs_in_every_variant(seed: int, variant: tuple[str, str]) -> None:
    for program in (chaos_program(seed), user_program(seed)):
        run(program, seed, program.steps)


@pytest.mark.parametrize("seed", range(2000, 2010))
def test_machine_kernel_without_pmp(seed: int) -> None:
    run(machine_kernel(seed), seed, pmp=0)


@pytest.mark.parametrize("seed", range(6))
def test_user_program(seed: int) -> None:
    program = user_program(seed)
    run(program, seed, program.steps)


@pytest.mark.parametrize("seed", range(10))
def test_chaos(seed: int) -> None:
    """Random words as code, which also overwrite code."""
    program = chaos_program(seed)
    run(program, seed, program.steps)


@pytest.mark.parametrize("seed", range(3000, 3010))
def test_external_interrupts_at_random_steps(seed: int) -> None:
    """Lines that change between runs, as devices change them."""
    rng = random.Random(f"lines {seed}")
    twin = Twin(machine_kernel(seed).image)
    assert twin.model
    for _ in range(60):
        bit, level = rng.choice(LINES), rng.random() < 0.4
        for computer in (twin.bare, twin.vm, twin.model):
            computer.set_line(bit, level)
        if twin.run(rng.randrange(1, 120)).reason != "budget":
            break
    twin.check_whole()


def test_the_kernels_exit_for_every_reason() -> None:
    """Together these programs use every arm of the hypervisor."""
    seen: dict[str, int] = {}
    for seed in range(1000, 1030):
        program = machine_kernel(seed)
        twin = Twin(program.image, ram_size=program.ram_size, judged=False)
        twin.run(STEPS)
        for name, count in twin.vm.ledger.items():
            seen[name] = seen.get(name, 0) + count
    program = supervisor_kernel(1000)
    twin = Twin(program.image, ram_size=program.ram_size, judged=False, bios="sbi")
    twin.run(STEPS)
    seen["sbi"] += twin.vm.ledger["sbi"]
    assert [name for name, count in seen.items() if count == 0] == ["table"]
    program = machine_kernel(1000)
    twin = Twin(program.image, ram_size=program.ram_size, judged=False, shadow_mode="protect")
    twin.run(STEPS)
    assert twin.vm.ledger["table"] > 0
