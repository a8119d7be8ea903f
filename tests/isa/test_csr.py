"""The CSR table: complete after the manual, and consistent in itself."""

from __future__ import annotations

import pytest

from toyvm.isa import csr
from toyvm.isa.csr import BY_NAME, BY_NUMBER, CSRS, PRV_M, PRV_S, PRV_U, Csr

# Privileged Architecture 20211203, tables 2.2 to 2.6, the rows of a machine with M, S, U and
# PMP, without the hypervisor extension, N and debug mode: (number, name, mode, read-only).
MANUAL: tuple[tuple[int, str, int, bool], ...] = (
    *((0xC00 + i, n, PRV_U, True) for i, n in enumerate(("cycle", "time", "instret"))),
    *((0xC80 + i, n, PRV_U, True) for i, n in enumerate(("cycleh", "timeh", "instreth"))),
    *((0xC00 + i, f"hpmcounter{i}", PRV_U, True) for i in range(3, 32)),
    *((0xC80 + i, f"hpmcounter{i}h", PRV_U, True) for i in range(3, 32)),
    (0x100, "sstatus", PRV_S, False),
    (0x104, "sie", PRV_S, False),
    (0x105, "stvec", PRV_S, False),
    (0x106, "scounteren", PRV_S, False),
    (0x10A, "senvcfg", PRV_S, False),
    (0x140, "sscratch", PRV_S, False),
    (0x141, "sepc", PRV_S, False),
    (0x142, "scause", PRV_S, False),
    (0x143, "stval", PRV_S, False),
    (0x144, "sip", PRV_S, False),
    (0x14D, "stimecmp", PRV_S, False),  # Sstc 1.0.0, chapter 2
    (0x15D, "stimecmph", PRV_S, False),
    (0x180, "satp", PRV_S, False),
    (0xF11, "mvendorid", PRV_M, True),
    (0xF12, "marchid", PRV_M, True),
    (0xF13, "mimpid", PRV_M, True),
    (0xF14, "mhartid", PRV_M, True),
    (0xF15, "mconfigptr", PRV_M, True),
    (0x300, "mstatus", PRV_M, False),
    (0x301, "misa", PRV_M, False),
    (0x302, "medeleg", PRV_M, False),
    (0x303, "mideleg", PRV_M, False),
    (0x304, "mie", PRV_M, False),
    (0x305, "mtvec", PRV_M, False),
    (0x306, "mcounteren", PRV_M, False),
    (0x310, "mstatush", PRV_M, False),
    (0x340, "mscratch", PRV_M, False),
    (0x341, "mepc", PRV_M, False),
    (0x342, "mcause", PRV_M, False),
    (0x343, "mtval", PRV_M, False),
    (0x344, "mip", PRV_M, False),
    (0x30A, "menvcfg", PRV_M, False),
    (0x31A, "menvcfgh", PRV_M, False),
    *((0x3A0 + i, f"pmpcfg{i}", PRV_M, False) for i in range(16)),
    *((0x3B0 + i, f"pmpaddr{i}", PRV_M, False) for i in range(64)),
    (0xB00, "mcycle", PRV_M, False),
    (0xB02, "minstret", PRV_M, False),
    (0xB80, "mcycleh", PRV_M, False),
    (0xB82, "minstreth", PRV_M, False),
    *((0xB00 + i, f"mhpmcounter{i}", PRV_M, False) for i in range(3, 32)),
    *((0xB80 + i, f"mhpmcounter{i}h", PRV_M, False) for i in range(3, 32)),
    (0x320, "mcountinhibit", PRV_M, False),
    *((0x320 + i, f"mhpmevent{i}", PRV_M, False) for i in range(3, 32)),
    (0x7A0, "tselect", PRV_M, False),
    (0x7A1, "tdata1", PRV_M, False),
    (0x7A2, "tdata2", PRV_M, False),
    (0x7A3, "tdata3", PRV_M, False),
)

# Bits of mstatus after figure 3.6 that this machine implements, by position.
MSTATUS_WRITABLE = {1, 3, 5, 7, 8, 11, 12, 17, 18, 19, 20, 21, 22}
# Bits of those that figure 4.1 shows in sstatus.
SSTATUS_WRITABLE = {1, 5, 8, 18, 19}


def bits(mask: int) -> set[int]:
    return {i for i in range(32) if mask >> i & 1}


def test_the_rows_are_those_of_the_manual_and_no_others() -> None:
    assert sorted((c.number, c.name, c.privilege, c.read_only) for c in CSRS) == sorted(MANUAL)


def test_numbers_and_names_are_unique_and_the_rows_are_sorted() -> None:
    assert len(BY_NAME) == len(BY_NUMBER) == len(CSRS)
    assert [c.number for c in CSRS] == sorted(BY_NUMBER)


@pytest.mark.parametrize("row", CSRS, ids=lambda c: c.name)
def test_each_row_is_consistent(row: Csr) -> None:
    assert 0 <= row.mask <= 0xFFFF_FFFF
    assert not (row.read_only and row.mask), "a read-only CSR has no writable bits"
    covered = 0
    for field in row.fields:
        assert 0 <= field.lo <= field.hi < 32
        assert not covered & field.mask, f"{field.name} overlaps another field"
        covered |= field.mask
    # pmpcfg describes one of its four bytes.
    visible = row.mask & 0xFF if row.name.startswith("pmpcfg") else row.mask
    if row.fields:
        assert not visible & ~covered, "a writable bit is in no field"
    assert [f.lo for f in row.fields] == sorted((f.lo for f in row.fields), reverse=True)


@pytest.mark.parametrize("name", ["mstatus", "mip", "satp"])
def test_field_constants_are_the_fields_of_the_row(name: str) -> None:
    for field in BY_NAME[name].fields:
        assert getattr(csr, f"{name.upper()}_{field.name}") == field.mask


def test_number_constants_are_the_numbers_of_the_rows() -> None:
    for row in CSRS:
        constant = getattr(csr, row.name.upper(), None)
        assert constant in (None, row.number)
    named = {n for n in BY_NAME if not any(ch.isdigit() for ch in n)}
    assert all(getattr(csr, n.upper()) == BY_NAME[n].number for n in named)


def test_write_masks_of_the_status_registers() -> None:
    assert bits(csr.MSTATUS_MASK) == MSTATUS_WRITABLE
    assert bits(csr.SSTATUS_MASK) == SSTATUS_WRITABLE


def test_only_supervisor_interrupts_can_be_delegated_or_written() -> None:
    assert bits(csr.MIDELEG_MASK) == bits(csr.MIP_MASK) == {1, 5, 9}
    assert bits(csr.MIE_MASK) == {1, 3, 5, 7, 9, 11}
    assert bits(csr.SIP_MASK) == {1}


def test_exceptions_that_can_be_delegated() -> None:
    # All that exist on this machine but the call from M-mode (11), which is never delegated.
    assert bits(csr.MEDELEG_MASK) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15}


def test_misa_says_rv32_with_a_i_m_s_u() -> None:
    assert csr.MISA_VALUE >> 30 == 1
    letters = {chr(ord("A") + i) for i in bits(csr.MISA_VALUE) if i < 26}
    assert letters == {"A", "I", "M", "S", "U"}
    assert BY_NAME["misa"].reset == csr.MISA_VALUE


def test_names_and_numbers_are_looked_up() -> None:
    assert csr.csr_number("mstatus") == 0x300
    assert csr.csr_name(0x300) == "mstatus"
    assert csr.csr_name(0x7C0) == "0x7c0"
    with pytest.raises(ValueError, match="'mstatux' is not a CSR"):
        csr.csr_number("mstatux")
