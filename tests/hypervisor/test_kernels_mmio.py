"""Each kernel that answers an exit by itself: emulated, reflected, done for the guest.

Layouts: docstrings of `vcpu` and `shadow`, docs/hypervisor.md; traps: Privileged 20211203 §3.1.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.hypervisor.kernel_bench import (
    ALL,
    CSRR,
    EBREAK,
    ECALL,
    MRET,
    RAM,
    RAM_PAGE,
    SFENCE,
    SRET,
    SV32,
    WFI,
    A,
    Bench,
    D,
    R,
    U,
    V,
    own,
    real,
)
from toyvm.hart import access, mmu, tlb
from toyvm.hart import state as s
from toyvm.hypervisor import emulate, ledger, mmio, reflect, shadow

# ---- emulate and reflect -------------------------------------------------------------------------


def test_what_an_instruction_is_booked_as() -> None:
    named = {MRET: ledger.MRET, SRET: ledger.SRET, WFI: ledger.WFI, SFENCE: ledger.SFENCE}
    named |= {ECALL: ledger.ECALL, EBREAK: ledger.EBREAK, 0x12B5_0073: ledger.SFENCE}
    named |= {CSRR & ~0x7000 | form << 12: ledger.CSR for form in (1, 2, 3, 5, 6, 7)}
    for word, booked in named.items():
        assert emulate.cause_of(word) == booked


def test_which_access_a_fault_stands_for() -> None:
    kinds = [mmio.kind_of_fault(cause) for cause in (12, 13, 15)]
    assert kinds == [mmu.FETCH, mmu.LOAD, mmu.STORE]


def trapping(mode: int = s.MODE_U) -> Bench:
    b = Bench()
    b.v[s.MODE], b.v[s.PC], b.v[s.STEPS], b.v[s.MTVEC] = mode, 0x8000_1230, 100, 0x8000_0400
    b.hp[s.RESERVATION] = 0x40
    return b


def taken(cause: int, tval: int, mode: int = s.MODE_U) -> dict[tuple[str, int], int]:
    """What a trap to M-mode changes (§3.1.6.1, §3.1.15); and both reservations go."""
    fields = {s.MCAUSE: cause, s.MEPC: 0x8000_1230, s.MTVAL: tval, s.PC: 0x8000_0400}
    fields |= {s.MODE: 3, s.STEPS: 101, s.NOT_RETIRED: 1, s.MSTATUS: mode << 11}
    old = {s.MODE: mode}
    changed = {("v", i): n for i, n in fields.items() if n != old.get(i, 0)}
    return changed | {("h", s.RESERVATION): -1}


def test_a_trap_is_reflected() -> None:
    b = trapping()
    _, changed = b.changes(lambda: reflect.reflect(b.h, b.g, 13, 0x1234))
    assert changed == taken(13, 0x1234)


def test_an_interrupt_is_injected() -> None:
    b = trapping()
    assert b.changes(lambda: reflect.inject(b.h, b.g)) == (False, {})
    for line in (3, 7, 11):
        b = trapping()
        b.v[s.MIE] = b.v[s.LINES] = 1 << line
        done, changed = b.changes(lambda b=b: reflect.inject(b.h, b.g))
        assert done is True
        assert changed == taken(1 << 31 | line, 0)


def answered(word: int, effects: int, b: Bench) -> tuple[Any, Any]:
    return b.changes(lambda: emulate.answer(b.h, b.g, b.c, word, effects))


@pytest.mark.parametrize(
    ("cause", "word", "booked"),
    [(2, MRET, ledger.ILLEGAL), (3, EBREAK, ledger.EBREAK), (8, ECALL, ledger.ECALL)],
)
def test_an_instruction_that_traps_is_reflected(cause: int, word: int, booked: int) -> None:
    b = trapping()
    b.v[s.CAUSE], b.v[s.TVAL] = cause, word
    assert answered(word, s.EFFECT_TRAP, b) == (booked, taken(cause, word))


def shadowed() -> Bench:
    """Roots 0 and 1 of two address spaces, each with a leaf for address 0x5000."""
    b = trapping(s.MODE_S)
    b.nodes((20, 1, 0), (21, 2, 1), (22, 1, 1 << 11), (23, 2, 1 << 11 | 1))
    for root, frame in ((0, 20), (1, 22)):
        b.c[shadow.TAGS + root] = 1 | tlb.TRANSLATED | 4 + root << 28
        b.c[shadow.TABLES + root] = frame
        b.put(frame, 0, real(frame + 1, V))
        b.put(frame + 1, 5, real(9, ALL | U))
    b.v[s.FENCE_VA], b.v[s.FENCE_ASID] = 0x5000, 5
    return b


def test_effects_are_answered() -> None:
    leaf = ("ram", 23 * 1024 + 5)
    assert answered(SFENCE, s.EFFECT_FENCE, shadowed()) == (ledger.SFENCE, {leaf: 0})
    assert answered(ECALL, s.EFFECT_SBI, shadowed()) == (ledger.SBI, {})
    for effect in (s.EFFECT_TRANSLATION, s.EFFECT_INTERRUPT, s.EFFECT_WFI, 0):
        assert answered(CSRR, effect, shadowed()) == (ledger.CSR, {})
    b = shadowed()
    booked, _changed = answered(CSRR, s.EFFECT_PMP, b)
    assert (booked, b.listed()) == (ledger.CSR, [])
    b = shadowed()
    answered(SFENCE, s.EFFECT_FENCE | s.EFFECT_PMP, b)
    assert b.listed() == []
    assert not b.word(23, 5)


# ---- accesses for the guest ----------------------------------------------------------------------

LW_A0 = 0x0085_A503  # lw a0, 8(a1)
SW_A0 = 0x00A5_A423  # sw a0, 8(a1)
LH_A0 = 0x0085_9503  # lh a0, 8(a1)
SB_A0 = 0x00A5_8423  # sb a0, 8(a1)
LR_A0 = 0x1005_A52F  # lr.w a0, (a1)
SC_A2 = 0x18A5_A62F  # sc.w a2, a0, (a1)
AMO = 0x00A5_A62F  # amoadd.w a2, a0, (a1)
ADD = 0x00B5_0533  # add a0, a0, a1


def loading(address: int, value: int = 0, **options: Any) -> Bench:
    b = Bench(**options)
    b.v[s.PC], b.v[s.STEPS], b.v[s.MTVEC] = 0x8000_1230, 100, 0x8000_0400
    b.hp[s.RESERVATION] = -1
    b.x[11], b.x[10] = address, value
    return b


def done(b: Bench, word: int) -> tuple[int, dict[tuple[str, int], int]]:
    """The status of an access, and what changed beside what it merely reports."""
    status, changed = b.changes(lambda: mmio.access_for_guest(b.h, b.g, b.c, word))
    reports = {s.VALUE, s.CAUSE, s.TVAL, *range(s.MMIO_PA, s.MMIO_RD + 1)}
    return int(status), {k: n for k, n in changed.items() if k[0] != "v" or k[1] not in reports}


RETIRED = {("v", s.PC): 0x8000_1234, ("v", s.STEPS): 101}


def test_a_load_and_a_store_for_the_guest() -> None:
    b = loading(RAM + 0x3000)
    b.put(11, 2, 0x8765_4321)
    assert done(b, LW_A0) == (access.OK, RETIRED | {("x", 10): 0x8765_4321})
    b = loading(RAM + 0x3000, 0x1234_5678)
    assert done(b, SW_A0) == (access.OK, RETIRED | {("ram", 11 * 1024 + 2): 0x1234_5678})
    b = loading(RAM + 0x3000, 0x1234_5678)
    assert done(b, SB_A0) == (access.OK, RETIRED | {("ram", 11 * 1024 + 2): 0x78})
    # The base wraps around: 0xfffffff8 + 8 is 0, which is no RAM but a device's place.
    b = loading(0xFFFF_FFF8)
    status, _changed = done(b, LW_A0)
    assert (status, int(b.v[s.MMIO_PA])) == (access.MMIO, 0)


def test_an_atomic_for_the_guest() -> None:
    """Its address is the register alone; the reservation is the real hart's."""
    b = loading(RAM + 0x3000, 5)
    b.put(11, 0, 37)
    assert done(b, AMO)[0] == access.OK
    assert (b.word(11), int(b.x[12])) == (42, 37)
    b = loading(RAM + 0x3000, 5)
    b.put(11, 0, 37)
    assert done(b, LR_A0)[0] == access.OK
    assert int(b.x[10]) == 37
    assert b.hp[s.RESERVATION] == b.v[s.RESERVATION] == 11 << 12
    b.x[10] = 9
    assert done(b, SC_A2)[0] == access.OK
    assert (b.word(11), int(b.x[12]), b.hp[s.RESERVATION]) == (9, 0, -1)
    # Without a reservation of the real hart, whatever the record says.
    b.v[s.RESERVATION] = 11 << 12
    assert done(b, SC_A2)[0] == access.OK
    assert int(b.x[12]) == 1


def test_a_word_that_is_no_access_is_run_again() -> None:
    for word in (ADD, CSRR, 0, 0xFFFF_FFFF, 0x0085_B503, ECALL, MRET):
        assert done(loading(RAM + 0x3000), word) == (access.OK, {})


@pytest.mark.parametrize("word", [LW_A0, SW_A0, 0x0085_8503, 0x0085_D503, LR_A0])
def test_every_kind_of_access_is_done(word: int) -> None:
    status, changed = done(loading(RAM + 0x3000), word)
    assert status == access.OK
    assert changed.items() >= RETIRED.items()


def test_an_access_gives_frames_to_its_pages() -> None:
    b = loading(RAM + 0x1_4000)
    assert done(b, LW_A0)[0] == access.OK
    assert b.fmap[20] == 40
    # Across two pages, each without a frame.
    b = loading(RAM + 0x1_4FF6, 0x1234_5678)
    assert done(b, SW_A0)[0] == access.OK
    assert (b.fmap[20], b.fmap[21]) == (40, 41)
    assert (b.word(40, 1023), b.word(41, 0)) == (0x5678_0000, 0x1234)
    # One of them only.
    b = loading(RAM + 0x7FF6, 0x1234_5678)
    assert done(b, SW_A0)[0] == access.OK
    assert (b.fmap[8], b.word(40, 0)) == (40, 0x1234)


def test_an_access_beside_ram_gives_it_no_frame() -> None:
    b = loading(RAM - 12, touched=())
    assert done(b, LW_A0)[0] == access.MMIO
    assert b.fmap[0] == -1


def test_what_an_earlier_fault_left_does_not_count() -> None:
    for cause in (12, 13, 15):
        b = loading(RAM + 0x1_4000)
        b.v[s.CAUSE] = cause
        assert done(b, LW_A0)[0] == access.OK
        assert b.fmap[20] == 40


def test_a_store_that_is_not_allowed_gives_no_frame() -> None:
    b = loading(0x5000)
    b.v[s.MODE], b.v[s.SATP] = s.MODE_S, SV32 | RAM_PAGE + 1
    b.put(9, 0, own(2, V))
    b.put(10, 5, own(30, V | R | A))
    assert done(b, SW_A0)[0] == access.TRAP
    assert (b.v[s.MCAUSE], b.v[s.MTVAL], b.fmap[30]) == (15, 0x5008, -1)


def test_an_access_without_a_frame_left() -> None:
    b = loading(RAM + 0x1_4000)
    b.c[shadow.FREE] = 0
    assert done(b, LW_A0) == (shadow.NO_FRAME, {})


def test_which_pages_of_an_access_are_touched() -> None:
    def touched(va: int, width: int, free: int = 2) -> tuple[int, list[int]]:
        b = Bench()
        b.c[shadow.FREE] = free
        got = mmio._touched(b.g, b.c, va, width)
        return int(got), [page for page in range(64) if b.fmap[page] >= 0 and page > 7]

    assert touched(RAM + 0x9FFD, 4) == (shadow.FILLED, [9])
    assert touched(RAM + 0x7FFD, 4) == (shadow.FILLED, [8])
    assert touched(RAM + 0x7FFC, 4) == (shadow.FAULT, [])
    assert touched(RAM + 0x7FFE, 2) == (shadow.FAULT, [])
    assert touched(RAM + 0x7FFF, 2) == (shadow.FILLED, [8])
    assert touched(RAM + 0x9000, 4, free=0) == (shadow.NO_FRAME, [])


def test_an_access_that_faults_is_reflected() -> None:
    """A misaligned one to no RAM: an access fault (5 of a load, 7 of a store)."""
    for word, cause in ((LW_A0, 5), (SW_A0, 7)):
        b = loading(0x1001)
        assert done(b, word)[0] == access.TRAP
        assert (b.v[s.MCAUSE], b.v[s.MTVAL], b.v[s.PC]) == (cause, 0x1009, 0x8000_0400)
        assert b.v[s.STEPS] == 101


def protected(**options: Any) -> Bench:
    """The guest runs in S-mode; page 1 its root, page 2 below; both can be written at 0x5000."""
    b = loading(0x5000, own(7, ALL), **options)
    b.v[s.MODE], b.v[s.SATP] = s.MODE_S, SV32 | RAM_PAGE + 1
    b.put(9, 0, own(2, V))
    b.put(10, 5, own(2, ALL))
    b.put(10, 6, own(2, ALL))
    b.put(10, 2, own(3, ALL))
    shadow.point(b.h, b.g, b.c)
    shadow.fill(b.h, b.g, b.c, 0x2000, mmu.LOAD)
    assert b.word(41, 2) == real(11, V | A | D | R | U)
    return b


def test_a_store_to_a_protected_table_takes_its_entries() -> None:
    b = protected(protect=1)
    assert done(b, SW_A0)[0] == access.OK
    assert (b.word(10, 2), b.word(41, 2)) == (own(7, ALL), 0)
    # An atomic at the very address; sc as amo.
    b = protected(protect=1)
    b.x[11] = 0x5008
    assert done(b, AMO)[0] == access.OK
    assert b.word(41, 2) == 0
    # The words around it are other entries.
    for address in (0x5004, 0x500C):
        b = protected(protect=1)
        b.x[11] = address - 8
        assert done(b, SW_A0)[0] == access.OK
        assert b.word(41, 2)
    # Only its last byte reaches the entry.
    b = protected(protect=1)
    b.x[11] = 0x5005 - 8
    assert done(b, SW_A0)[0] == access.OK
    assert b.word(41, 2) == 0
    # A load takes nothing; nor does a store where nothing is protected.
    b = protected(protect=1)
    assert done(b, LW_A0)[0] == access.OK
    assert b.word(41, 2)
    b = protected()
    assert done(b, SW_A0)[0] == access.OK
    assert b.word(41, 2)


def test_a_store_that_ends_in_a_protected_table() -> None:
    """It begins in page 3 at 0x6ffe and ends in entry 0 of page 2."""
    b = protected(protect=1)
    b.put(10, 6, own(3, ALL))
    b.put(10, 7, own(2, ALL))
    b.put(10, 0, own(4, ALL))
    shadow.fill(b.h, b.g, b.c, 0x0000, mmu.LOAD)
    assert b.word(41, 0)
    b.x[11] = 0x6FFF - 8
    assert done(b, SW_A0)[0] == access.OK
    assert b.word(41, 0) == 0
