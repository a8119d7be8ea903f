"""The unprivileged instructions of the short random programs: the model against Unicorn.

4,000 programs; TOYVM_FULL=1 runs all 20,000.
"""

from __future__ import annotations

import os

import pytest

from tests.naive import NaiveHart
from tests.support.unicorn_short import Difference, Tally, check

pytest.importorskip("unicorn", reason="Unicorn is missing: pip install unicorn")

PROGRAMS = 20_000 if os.environ.get("TOYVM_FULL") else 4_000
PART = 1_000
# LOAD, MISC-MEM, OP-IMM, AUIPC, STORE, AMO, OP, LUI, BRANCH, JALR, JAL
OPCODES = {0x03, 0x0F, 0x13, 0x23, 0x2F, 0x33, 0x37, 0x63, 0x67, 0x6F}


@pytest.mark.parametrize("first", range(0, PROGRAMS, PART))
def test_equal_after_every_stretch(first: int) -> None:
    tally = Tally()
    for seed in range(first, first + PART):
        check(seed, tally)
    assert tally.programs == PART
    assert tally.compared > 25 * PART
    assert tally.accesses > PART // 8
    assert tally.opcodes - {0x17} == OPCODES


class WrongRegister(NaiveHart):
    """x5 is one too large."""

    def set_x(self, register: int, value: int) -> None:
        super().set_x(register, value + (register == 5))


class WrongByte(NaiveHart):
    """The bytes of a halfword change places."""

    def store(self, va: int, width: int, value: int) -> None:
        if width == 2:
            value = value << 8 & 0xFF00 | value >> 8 & 0xFF
        super().store(va, width, value)


@pytest.mark.parametrize(
    ("mistake", "what"), [(WrongRegister, "registers differ"), (WrongByte, "memory at")]
)
def test_a_mistake_is_found(mistake: type[NaiveHart], what: str) -> None:
    with pytest.raises(Difference, match=what):
        check_many(1_000, mistake)


def check_many(programs: int, kind: type[NaiveHart]) -> None:
    tally = Tally()
    for seed in range(programs):
        check(seed, tally, kind)
