"""20,000 short random programs: bare machine and model equal after every instruction.

Registers, every CSR field, counters, clock, deadlines, reservation and every byte of RAM, each from
a random privileged state (tests/support/short.py).  `make fuzz PROGRAMS=1000000` runs more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.naive import NaiveHart
from tests.support.fast import Difference, Runner
from tests.support.naive_csrs import MPRV, SPP, CsrFile
from tests.support.naive_memory import MemorySystem
from tests.support.short import FAMILY, KINDS, short_program

PROGRAMS = 20_000
PART = 1_000
EXCEPTIONS = {0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 15}
INTERRUPTS = {1 << 31 | i for i in (1, 5, 7, 9)}


@pytest.fixture(scope="module")
def runners() -> dict[str, Runner]:
    return {kind: Runner(kind) for kind in KINDS}


@pytest.mark.parametrize("first", range(0, PROGRAMS, PART))
def test_equal_after_every_instruction(first: int, runners: dict[str, Runner]) -> None:
    tallies = [runner.tally for runner in runners.values()]
    for tally in tallies:
        tally.__init__()  # type: ignore[misc]
    for seed in range(first, first + PART):
        program = short_program(seed)
        runners[program.kind].step_by_step(program)
    causes = set().union(*(tally.causes for tally in tallies))
    modes = set().union(*(tally.modes for tally in tallies))
    assert sum(tally.programs for tally in tallies) == PART
    assert sum(tally.steps for tally in tallies) > 40 * PART
    assert (EXCEPTIONS | INTERRUPTS) - causes == set(), "never happened"
    assert {(0, True), (1, True), (3, True), (0, False), (1, False), (3, False)} - modes == set()


def test_a_program_is_its_seed() -> None:
    """The same program again, whatever was made before it."""
    programs = [short_program(seed) for seed in (3, FAMILY * 7, 3, 7)]
    assert programs[0] == programs[2]
    assert programs[0].image != programs[3].image


# ---- the comparison itself: each of these mistakes is found in a few hundred programs ----------


class KeepsSpp(NaiveHart):
    def return_from_s(self) -> None:
        spp = self.mstatus & SPP
        super().return_from_s()
        self.mstatus |= spp


class KeepsMprv(NaiveHart):
    def return_from_m(self) -> None:
        mprv = self.mstatus & MPRV
        super().return_from_m()
        self.mstatus |= mprv


class ForgetsDirty(NaiveHart):
    def translate(self, va: int, access: int, mode: int) -> int:
        return MemorySystem.translate(self, va, min(access, 1) if mode != 3 else access, mode)


class KeepsReservation(NaiveHart):
    def take_trap(self, cause: int, tval: int) -> None:
        held = self.reservation
        super().take_trap(cause, tval)
        self.reservation = held


class WritesStip(NaiveHart):
    def write_sip(self, value: int) -> None:
        self.mip_software = self.mip_software & ~0x22 | value & 0x22 & self.mideleg


class CountsEcall(NaiveHart):
    def count(self) -> None:
        self.retires = self.retires or self.last_cause == 8
        super().count()


class WrongPriority(NaiveHart):
    @staticmethod
    def first(pending: int) -> int:
        return next(i for i in (11, 7, 3, 9, 5, 1) if pending >> i & 1)


class NoTvm(NaiveHart):
    def check_csr(self, number: int, write: bool) -> None:
        status, self.mstatus = self.mstatus, self.mstatus & ~(1 << 20)
        try:
            CsrFile.check_csr(self, number, write)
        finally:
            self.mstatus = status


MISTAKES = [
    KeepsSpp, KeepsMprv, ForgetsDirty, KeepsReservation,
    WritesStip, CountsEcall, WrongPriority, NoTvm,
]  # fmt: skip


class Mistaken(Runner):
    """A runner whose model makes a mistake."""

    mistake: type = NaiveHart

    def start(self, program: Any) -> NaiveHart:
        model = super().start(program)
        model.__class__ = self.mistake
        return model


@pytest.fixture(scope="module")
def mistaken() -> Iterator[Mistaken]:
    return Mistaken("plain")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: type, mistaken: Mistaken) -> None:
    mistaken.mistake = mistake

    def many() -> None:
        for seed in range(4_000):
            program = short_program(seed)
            if program.kind == "plain":
                mistaken.step_by_step(program)

    with pytest.raises(Difference, match="differ"):
        many()


def test_one_byte_of_ram_is_found(mistaken: Mistaken) -> None:
    mistaken.mistake = NaiveHart
    program = short_program(0)
    model = mistaken.start(program)
    mistaken.compare(program, model, 0)
    model.ram[0x17FFF] ^= 1
    with pytest.raises(Difference, match=r"RAM\+0x17fff"):
        mistaken.compare(program, model, 0)
