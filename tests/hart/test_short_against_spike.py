"""The short random programs in Spike: the model step by step, and the machine beside the model.

A program is placed so that instructions can start it (tests/support/spike_short.py), runs in a
Spike of its own, and is compared with the model after every step, and at its end in every register,
CSR and byte of RAM.  The compiled machine is compared with the model on the same program, after
every step as well.  2,000 programs; TOYVM_FULL=1 runs all 20,000, about six minutes.
"""

from __future__ import annotations

import os

import pytest

from tests.hart.test_short_programs import (
    EXCEPTIONS,
    INTERRUPTS,
    ForgetsDirty,
    KeepsSpp,
    NoTvm,
    WrongPriority,
)
from tests.naive import NaiveHart
from tests.support import spike
from tests.support.fast import Runner
from tests.support.short import KINDS, short_program
from tests.support.spike_short import ENDS, EXCUSES, Tally, check, placed

PROGRAMS = 20_000 if os.environ.get("TOYVM_FULL") else 2_000
PART = 500


@pytest.fixture(autouse=True)
def _needs_spike() -> None:
    spike.require()


@pytest.fixture(scope="module")
def runners() -> dict[str, Runner]:
    return {kind: Runner(kind) for kind in KINDS}


@pytest.mark.parametrize("first", range(0, PROGRAMS, PART))
def test_equal_after_every_step(first: int, runners: dict[str, Runner]) -> None:
    tally = Tally()
    for seed in range(first, first + PART):
        tally.add(check(seed))
        program = placed(short_program(seed))
        runners[program.kind].step_by_step(program)
    # What is left out is little, and has a name.
    assert set(tally.excused) <= set(EXCUSES) | set(spike.EXCUSES)
    assert set(tally.ended) <= set(ENDS)
    assert tally.programs == PART
    assert tally.whole > 0.7 * PART
    assert tally.steps > 38 * PART
    assert (EXCEPTIONS | INTERRUPTS) - set(tally.causes) == set(), "never happened"
    assert {(0, True), (1, True), (3, True), (0, False), (1, False), (3, False)} == tally.modes


@pytest.mark.parametrize("mistake", [KeepsSpp, ForgetsDirty, WrongPriority, NoTvm])
def test_a_mistake_is_found(mistake: type[NaiveHart]) -> None:
    """A model that is wrong in one rule does not get far."""
    with pytest.raises(spike.Difference):
        check_many(1_500, mistake)


def check_many(programs: int, kind: type[NaiveHart]) -> None:
    for seed in range(programs):
        check(seed, kind)


class WrongByte(NaiveHart):
    """A store of a byte stores another one, which nothing but memory shows."""

    def store(self, va: int, width: int, value: int) -> None:
        super().store(va, width, value)
        pa = self.pieces[0][0]
        if width == 1 and self.in_ram(pa, 1):
            self.ram[pa - self.ram_base] ^= 1


def test_one_byte_of_ram_is_found() -> None:
    with pytest.raises(spike.Difference, match=r"at the end .* RAM at"):
        check_many(1_500, WrongByte)
