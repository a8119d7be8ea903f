"""The reference model against Spike, instruction by instruction.

Every register write, store, CSR write, trap cause, xepc and xtval of Spike's
log is compared; tests/support/spike.py lists what is excused and why.
"""

from __future__ import annotations

import pytest

from tests.naive import NaiveHart
from tests.support import spike
from tests.support.asm import Asm
from tests.support.clint import NaiveClint
from tests.support.kernels import machine_kernel
from tests.support.programs import RAM_SIZE, Program, user_program
from tests.support.sv32_cases import ROOT_PTE, TABLE_PTE, all_cases, image

MTVEC, MEPC, MENVCFGH = 0x305, 0x341, 0x31A


@pytest.fixture(autouse=True)
def _needs_spike() -> None:
    spike.require()


def loaded(program: Program, kind: type[NaiveHart] = NaiveHart) -> NaiveHart:
    """A model with the program in RAM and Spike's mtimecmp (zero) at reset."""
    hart = kind(program.ram_size, mmio=NaiveClint())
    hart.load_program(program.image)
    hart.mtimecmp = 0
    return hart


@pytest.mark.parametrize("seed", range(50))
def test_user_program(seed: int) -> None:
    program = user_program(seed, length=150)
    excused = spike.compare(loaded(program), program.image, program.steps)
    assert not excused


@pytest.mark.parametrize("seed", range(60))
def test_machine_kernel(seed: int) -> None:
    program = machine_kernel(seed, spike=True)
    spike.compare(loaded(program), program.image, 4000)


def test_the_kernels_reach_everything() -> None:
    """The seeds above are worth something: all causes and modes happen."""
    causes: set[int | None] = set()
    modes: set[int] = set()
    for seed in range(20):
        hart = loaded(machine_kernel(seed, spike=True))
        for _ in range(4000):
            hart.step()
            causes.add(hart.last_cause)
            modes.add(hart.last_mode)
    interrupts = {spike.INTERRUPT | i for i in (1, 3, 5, 7, 9)}
    assert {None, 0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 15} | interrupts <= causes
    assert modes == {0, 1, 3}


def program_of(a: Asm) -> Program:
    a.label("end")
    a.j("end")
    return Program("directed", a.image().ljust(0x8000, b"\0"), steps=0)


def skip_handler(a: Asm) -> None:
    """A handler that notes cause and tval and skips the instruction."""
    a.j("begin")
    a.label("handler")
    a.csrr(28, 0x342)
    a.csrr(29, 0x343)
    a.csrr(30, 0x341)
    a.addi(30, 30, 4)
    a.csrw(MEPC, 30)
    a.mret()
    a.label("begin")
    a.la(5, "handler")
    a.csrw(MTVEC, 5)


def test_misaligned_atomics_are_excused_by_name() -> None:
    a = Asm()
    skip_handler(a)
    a.li(5, 0x8000_4001)
    a.lr(6, 5)
    a.sc(6, 5, 5)
    a.amoadd(6, 5, 5)
    program = program_of(a)
    excused = spike.compare(loaded(program), program.image, 40)
    assert excused == {"misaligned atomic": 3}


def test_word_without_the_low_bits_is_excused_by_name() -> None:
    a = Asm()
    skip_handler(a)
    a.word(0x0001_0001)  # all 32 bits in our mtval, 16 in Spike's
    a.word(0x0000_0001)  # the same in both
    a.word(0xFFFF_FFFF)
    program = program_of(a)
    excused = spike.compare(loaded(program), program.image, 40)
    assert excused == {"16-bit encoding": 1}


def test_counters_and_inhibit() -> None:
    """minstret to the instruction, through writes and mcountinhibit."""
    a = Asm()
    skip_handler(a)
    a.csrr(6, 0xB02)
    a.csrw(0xB02, 0)
    a.csrr(6, 0xB02)
    a.csrr(7, 0xC02)
    a.ecall()
    a.csrr(6, 0xB02)
    a.addi(5, 0, 4)
    a.csrw(0x320, 5)
    a.csrr(6, 0xB02)
    a.csrr(6, 0xB02)
    a.csrw(0x320, 0)
    a.csrr(6, 0xB02)
    a.csrw(0xB82, 5)
    a.csrr(6, 0xB02)
    a.csrr(6, 0xB82)
    a.li(5, -1)
    a.csrw(0xB02, 5)
    a.csrr(6, 0xB02)
    a.csrr(6, 0xB82)
    a.csrr(6, 0xB02)
    program = program_of(a)
    excused = spike.compare(loaded(program), program.image, 60)
    assert excused == {"inhibit": 2}


def test_warl_of_every_register_both_have() -> None:
    """Ones and zeros and patterns into registers whose masks are the same."""
    a = Asm()
    skip_handler(a)
    a.csrw(0x3A0, 0)
    for number in (0x303, 0x304, 0x306, 0x106, 0x320, 0x180, 0x105, 0x141, 0x142, 0x143, 0x140):
        for bits in (0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, 0x8000_0002):
            a.li(5, bits)
            a.csrrw(6, number, 5)
            a.csrr(6, number)
        a.csrw(number, 0)
    for bits in (0x007E_19AA, 0x1000, 0x1800, 0, 0x1000, 0x0800, 0x1000, 0):
        a.li(5, bits)
        a.csrw(0x300, 5)
        a.csrr(6, 0x300)
        a.csrr(6, 0x100)
    for bits in (0x1FFF, 0xFFFF_FFFF, 0x0123_4567):
        a.li(5, bits)
        a.csrw(0x3B2, 5)
        for mode in (0x00, 0x18, 0x08, 0x1F, 0x7F):
            a.li(5, mode << 16)
            a.csrw(0x3A0, 5)
            a.csrr(6, 0x3A0)
            a.csrr(6, 0x3B2)
    program = program_of(a)
    excused = spike.compare(loaded(program), program.image, len(a.words()) - 8)
    # MPP from 1 and from 3 to 2; four times the IR bit changes.
    assert excused == {"MPP": 2, "inhibit": 4}


class WrongRegister(NaiveHart):
    """Any x7 is one too large."""

    def set_x(self, register: int, value: int) -> None:
        super().set_x(register, value + (register == 7))


class ForgetsDirty(NaiveHart):
    """A store sets A but not D."""

    def ram_write(self, pa: int, width: int, value: int) -> None:
        if pa in (ROOT_PTE, TABLE_PTE) and self.mode != 3:
            value &= ~0x80
        super().ram_write(pa, width, value)


class KeepsSpie(NaiveHart):
    """SRET does not set SPIE."""

    def return_from_s(self) -> None:
        spie = self.mstatus & 0x20
        super().return_from_s()
        self.mstatus = (self.mstatus & ~0x20) | spie


@pytest.mark.parametrize("broken", [WrongRegister, ForgetsDirty, KeepsSpie])
def test_the_comparison_finds_a_broken_model(broken: type[NaiveHart]) -> None:
    programs = [machine_kernel(seed, spike=True) for seed in range(8)]
    programs.append(Program("Sv32", image(all_cases()[::499]), steps=4000))

    def compare_all() -> None:
        for program in programs:
            spike.compare(loaded(program, broken), program.image, 4000)

    with pytest.raises(spike.Difference):
        compare_all()


def test_a_spike_that_stops_is_reported() -> None:
    a = Asm()
    a.csrw(0x304, 0)
    a.wfi()
    program = program_of(a)
    events = spike.trace(program.image, seconds=2.0)
    assert len(list(events)) < 10


def test_the_model_starts_with_ram_of_the_asked_size() -> None:
    assert len(loaded(user_program(0)).ram) == RAM_SIZE
