"""Directed tests of the model's CSRs: which exist, who may access, what sticks."""

from __future__ import annotations

import pytest

from tests.naive import NaiveHart
from tests.support.directed import RAM_BASE, csrw, execute
from tests.support.naive_memory import M, S, U

# Numbers of all CSRs there are, straight from tables 2.2 to 2.5.
MACHINE = {
    *range(0xF11, 0xF16),
    *range(0x300, 0x307),
    0x30A,
    0x310,
    0x31A,
    *range(0x340, 0x345),
    *range(0x3A0, 0x3F0),
    0xB00,
    *range(0xB02, 0xB20),
    0xB80,
    *range(0xB82, 0xBA0),
    0x320,
    *range(0x323, 0x340),
    *range(0x7A0, 0x7A4),
}
SUPERVISOR = {0x100, 0x104, 0x105, 0x106, 0x10A, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180}
USER = {*range(0xC00, 0xC20), *range(0xC80, 0xCA0)}


def fresh(mode: int) -> NaiveHart:
    hart = NaiveHart(64, pmp=0)
    hart.mode = mode
    hart.mcounteren = hart.scounteren = 7
    return hart


def test_existence_and_privilege_of_all_4096() -> None:
    for number in range(4096):
        for mode, visible in (
            (M, MACHINE | SUPERVISOR | USER),
            (S, SUPERVISOR | {0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82}),
            (U, {0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82}),
        ):
            hart = fresh(mode)
            cause = execute(hart, "csrrs", 1, number, 0)
            assert cause == (None if number in visible else 2), f"{number:#x} in mode {mode}"


def test_read_only_numbers_cannot_be_written() -> None:
    for number in sorted(USER | set(range(0xF11, 0xF16))):
        for name, operand, illegal in (
            ("csrrw", 0, True),
            ("csrrs", 0, False),
            ("csrrc", 1, True),  # x1 holds zero: still a write
            ("csrrwi", 0, True),
            ("csrrsi", 0, False),
            ("csrrci", 1, True),
        ):
            cause = execute(fresh(M), name, 0, number, operand)
            assert cause == (2 if illegal else None), f"{name} {number:#x}"


@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize("number", [0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82])
def test_counter_enables(mode: int, number: int) -> None:
    bit = 1 << (number & 31)
    for mcounteren, scounteren in ((0, 7), (7, 0), (bit, bit), (7 & ~bit, 7), (7, 7 & ~bit)):
        hart = fresh(mode)
        hart.mcounteren, hart.scounteren = mcounteren, scounteren
        allowed = mcounteren & bit and (mode == S or scounteren & bit)
        assert execute(hart, "csrrs", 1, number, 0) == (None if allowed else 2)


@pytest.mark.parametrize(
    ("number", "ones"),
    [
        (0x300, 0x007E_19AA),
        (0x301, 0x4014_1101),
        (0x302, 0x0000_B3FF),
        (0x303, 0x0000_0222),
        (0x304, 0x0000_0AAA),
        (0x305, 0xFFFF_FFFD),
        (0x306, 0x0000_0007),
        (0x30A, 0x0000_0001),
        (0x310, 0),
        (0x31A, 0),
        (0x320, 0x0000_0005),
        (0x323, 0),
        (0x340, 0xFFFF_FFFF),
        (0x341, 0xFFFF_FFFC),
        (0x342, 0xFFFF_FFFF),
        (0x343, 0xFFFF_FFFF),
        (0x344, 0x0000_0222),
        (0x100, 0x000C_0122),
        (0x105, 0xFFFF_FFFD),
        (0x106, 0x0000_0007),
        (0x10A, 0x0000_0001),
        (0x140, 0xFFFF_FFFF),
        (0x141, 0xFFFF_FFFC),
        (0x142, 0xFFFF_FFFF),
        (0x143, 0xFFFF_FFFF),
        (0x180, 0xFFFF_FFFF),
        (0x7A0, 0),
        (0x7A1, 0),
        (0xB03, 0),
    ],
    ids=hex,
)
def test_bits_that_stick(number: int, ones: int) -> None:
    hart = NaiveHart(64, pmp=0)
    assert csrw(hart, number, 0xFFFF_FFFF) == ones


def test_mpp_keeps_its_value_when_two_is_written() -> None:
    hart = NaiveHart(64)
    for old in (0x0, 0x800, 0x1800):
        csrw(hart, 0x300, old)
        assert csrw(hart, 0x300, 0x1000) == old


def test_sstatus_is_a_window_on_mstatus() -> None:
    hart = NaiveHart(64)
    csrw(hart, 0x300, 0x007E_19AA)
    assert csrw(hart, 0x100, 0) == 0
    assert hart.mstatus == 0x007E_19AA & ~0x000C_0122


def test_csr_forms() -> None:
    """Swap, set and clear; rs1 is read before rd is written."""
    hart = NaiveHart(64)
    hart.mscratch, hart.x[5] = 0b1100, 0b1010
    execute(hart, "csrrs", 6, 0x340, 5)
    assert (hart.x[6], hart.mscratch) == (0b1100, 0b1110)
    execute(hart, "csrrc", 6, 0x340, 5)
    assert (hart.x[6], hart.mscratch) == (0b1110, 0b0100)
    execute(hart, "csrrw", 5, 0x340, 5)
    assert (hart.x[5], hart.mscratch) == (0b0100, 0b1010)
    execute(hart, "csrrwi", 5, 0x340, 31)
    execute(hart, "csrrci", 5, 0x340, 1)
    execute(hart, "csrrsi", 6, 0x340, 1)
    assert (hart.x[5], hart.x[6], hart.mscratch) == (31, 30, 31)
    assert hart.pc == RAM_BASE + 24


def test_satp_takes_effect_at_the_next_fetch() -> None:
    hart = NaiveHart(0x1000, pmp=0)
    hart.mode, hart.mtvec = S, RAM_BASE
    hart.x[5] = 1 << 31
    execute(hart, "csrrw", 0, 0x180, 5)
    hart.step()
    assert (hart.mcause, hart.mtval) == (1, RAM_BASE + 4)  # the table is not in RAM
