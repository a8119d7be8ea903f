"""The model's Sv32 against Spike, on a seeded slice of all kinds of access.

With TOYVM_FULL=1 all 49,152 cases run (about a minute).
"""

from __future__ import annotations

import os
import random

import pytest

from tests.naive import NaiveHart
from tests.support import spike
from tests.support.sv32_cases import STEPS_PER_CASE, Case, all_cases, image

PER_IMAGE = 1024
SLICE = 2 * PER_IMAGE


def chosen() -> list[Case]:
    cases = all_cases()
    assert len(cases) == 49_152
    random.Random("Sv32 slice").shuffle(cases)
    return cases if os.environ.get("TOYVM_FULL") else cases[:SLICE]


@pytest.mark.parametrize("part", range(len(chosen()) // PER_IMAGE))
def test_as_spike(part: int) -> None:
    spike.require()
    program = image(chosen()[part * PER_IMAGE : (part + 1) * PER_IMAGE])
    hart = NaiveHart(1 << 20)
    hart.load_program(program)
    steps, ended = 0, False
    while not ended:  # how long the program is
        hart.step()
        steps += 1
        ended = hart.last_word == 0x0000_006F
        assert steps < STEPS_PER_CASE * PER_IMAGE
    hart = NaiveHart(1 << 20)
    hart.load_program(program)
    hart.mtimecmp = 0
    assert not spike.compare(hart, program, steps)
    assert hart.last_word == 0x0000_006F
