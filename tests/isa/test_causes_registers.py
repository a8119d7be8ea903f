"""Trap causes, registers and Sv32 constants."""

from __future__ import annotations

import pytest

from toyvm.isa import causes, sv32
from toyvm.isa.registers import ABI_NAMES, NUMBERS, register_number

# Privileged Architecture 20211203, table 3.6, without the rows that are reserved.
EXCEPTIONS = {
    0: "instruction address misaligned",
    1: "instruction access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load address misaligned",
    5: "load access fault",
    6: "store/AMO address misaligned",
    7: "store/AMO access fault",
    8: "environment call from U-mode",
    9: "environment call from S-mode",
    11: "environment call from M-mode",
    12: "instruction page fault",
    13: "load page fault",
    15: "store/AMO page fault",
}
INTERRUPTS = {
    1: "supervisor software interrupt",
    3: "machine software interrupt",
    5: "supervisor timer interrupt",
    7: "machine timer interrupt",
    9: "supervisor external interrupt",
    11: "machine external interrupt",
}


def test_causes_are_those_of_the_manual() -> None:
    assert {c.number: c.title for c in causes.EXCEPTIONS} == EXCEPTIONS
    assert {c.number: c.title for c in causes.INTERRUPTS} == INTERRUPTS


def test_values_have_the_interrupt_bit_and_constants_do_not() -> None:
    for cause in causes.CAUSES:
        assert cause.value == cause.number + (1 << 31 if cause.interrupt else 0)
        assert getattr(causes, cause.name) == cause.number


def test_interrupts_are_taken_external_software_timer_and_machine_first() -> None:
    # Section 3.1.9: MEI, MSI, MTI, SEI, SSI, STI.
    assert causes.INTERRUPT_PRIORITY == (11, 3, 7, 9, 1, 5)


def test_titles_of_reserved_values() -> None:
    assert causes.cause_title(13) == "load page fault"
    assert causes.cause_title(1 << 31 | 7) == "machine timer interrupt"
    assert causes.cause_title(10) == "reserved exception 10"
    assert causes.cause_title(1 << 31 | 2) == "reserved interrupt 2"


def test_register_names_are_those_of_the_abi() -> None:
    names = (
        "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11"
    )
    assert " ".join(ABI_NAMES) == names + " t3 t4 t5 t6"
    assert NUMBERS["fp"] == NUMBERS["s0"] == NUMBERS["x8"] == 8
    assert len(NUMBERS) == 65


def test_an_unknown_register_is_named() -> None:
    assert register_number("a0") == 10
    for name in ("x32", "a8", "s12", "A0", ""):
        with pytest.raises(ValueError, match=f"'{name}' is not a register"):
            register_number(name)


def test_page_table_entries_are_laid_out_as_sv32() -> None:
    # Figure 4.18: PPN[1] PPN[0] RSW D A G U X W R V.
    flags = (sv32.PTE_V, sv32.PTE_R, sv32.PTE_W, sv32.PTE_X, sv32.PTE_U, sv32.PTE_G, sv32.PTE_A)
    assert flags == (1, 2, 4, 8, 16, 32, 64)
    assert sv32.PTE_D == 128
    assert sv32.PTE_RSW == 0x300
    assert sv32.PTE_PPN == 0xFFFF_FFFF & ~0x3FF
    assert sv32.MEGAPAGE_SIZE == sv32.PAGE_SIZE * (sv32.PAGE_SIZE // sv32.PTE_SIZE)
