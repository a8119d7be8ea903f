"""Every kind of Sv32 access on the compiled machine: a seeded slice.

The cases are those of tests/support/sv32_cases.py; the model that judges them
is compared with Spike on the same cases in tests/reference.  With TOYVM_FULL=1
all 49,152 run.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.support.compare import lockstep, lockstep_chunks
from tests.support.machine_adapter import MachineAdapter
from tests.support.sv32_cases import STEPS_PER_CASE, Case, all_cases, image

PER_IMAGE = 1024
SLICE = 5 * PER_IMAGE
END = 0x0000_006F  # j .


def chosen() -> list[Case]:
    cases = all_cases()
    assert len(cases) == 49_152
    random.Random("Sv32 slice").shuffle(cases)
    return cases if os.environ.get("TOYVM_FULL") else cases[:SLICE]


@pytest.mark.parametrize("part", range(len(chosen()) // PER_IMAGE))
def test_in_runs(part: int) -> None:
    """Whole runs: the program's checksum keeps what any case left."""
    cases = chosen()[part * PER_IMAGE : (part + 1) * PER_IMAGE]
    dut = MachineAdapter(image(cases))
    model = dut.model()
    for _ in range(STEPS_PER_CASE):
        lockstep_chunks(dut, model, [PER_IMAGE])
    assert model.last_word == END


def test_step_by_step() -> None:
    cases = chosen()[:96]
    dut = MachineAdapter(image(cases))
    model = dut.model()
    lockstep(dut, model, STEPS_PER_CASE * len(cases), full_every=16)
    assert model.last_word == END


def test_a_slice_has_every_value_of_every_dimension() -> None:
    for i, size in enumerate((128, 4, 2, 2, 4, 6)):
        assert len({case[i] for case in chosen()}) == size
