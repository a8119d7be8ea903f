"""Checks of lesson 1: the registers at the ebreak, for random inputs."""

from lessons import checks
from lessons.runner import Bench, Case, Inputs

MASK = 0xFFFFFFFF
MOST_INSTRUCTIONS = 10


def numbers(inputs: Inputs) -> Case:
    """Two random words in a0 and a1."""
    a0, a1 = inputs.word(), inputs.word()
    return Case(
        note=f"a0 = {a0:#x}, a1 = {a1:#x}",
        entry="start",
        ends="ebreak",
        registers={"a0": a0, "a1": a1},
    )


def test_defined(vm: Bench) -> None:
    checks.labels(vm, "start")
    checks.defined(vm, numbers)


def test_ends(vm: Bench) -> None:
    checks.labels(vm, "start")
    checks.ends(vm, numbers)


def test_x0(vm: Bench) -> None:
    checks.no_lost_results(vm, numbers)


def test_inputs(vm: Bench) -> None:
    for run in vm.runs(numbers):
        for name, value in run.case.registers.items():
            checks.register(run, name, value, "the input")


def test_sum(vm: Bench) -> None:
    for run in vm.runs(numbers):
        a0, a1 = run.case.registers.values()
        checks.register(run, "a2", (a0 + a1) & MASK, "a0 + a1")


def test_scale(vm: Bench) -> None:
    for run in vm.runs(numbers):
        a0, a1 = run.case.registers.values()
        checks.register(run, "a3", (4 * a0 - a1) & MASK, "4 * a0 - a1")


def test_mask(vm: Bench) -> None:
    for run in vm.runs(numbers):
        a0, a1 = run.case.registers.values()
        checks.register(run, "a4", (a0 ^ a1) & 0xFF, "the low 8 bits of a0 xor a1")


def test_count(vm: Bench) -> None:
    checks.after(vm, test_sum, test_scale, test_mask)
    for run in vm.runs(numbers):
        checks.at_most(run, run.record.retired, MOST_INSTRUCTIONS, "instructions")
