"""The compiled machine against Spike, instruction by instruction.

The programs leave out what a hart may do in its own way (``exact``); what is
still excused is named in tests/support/spike.py.
"""

from __future__ import annotations

import pytest

from tests.support import spike
from tests.support.kernels import machine_kernel
from tests.support.machine_adapter import MachineAdapter, SpikeFace
from tests.support.programs import Program, user_program
from tests.support.sv32_cases import all_cases, image


@pytest.fixture(autouse=True)
def _needs_spike() -> None:
    spike.require()


def machine(program: Program) -> SpikeFace:
    return SpikeFace(MachineAdapter.of(program))


@pytest.mark.parametrize("seed", range(500, 520))
def test_user_program(seed: int) -> None:
    program = user_program(seed, length=150)
    assert not spike.compare(machine(program), program.image, program.steps)


@pytest.mark.parametrize("seed", range(500, 520))
def test_machine_kernel(seed: int) -> None:
    program = machine_kernel(seed, spike=True, exact=True)
    excused = spike.compare(machine(program), program.image, 4000)
    assert set(excused) <= {"cycle", "16-bit encoding", "MPP"}


def test_sv32_accesses() -> None:
    """Every 499th of the 49,152 kinds of access."""
    program = Program("Sv32", image(all_cases()[::499]), steps=4500)
    assert not spike.compare(machine(program), program.image, program.steps)
