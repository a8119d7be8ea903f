"""Each kernel that makes shadow tables by itself: entries, fills and megapages.

Every call says all that it may change.  Layouts: `shadow`'s docstrings and docs/hypervisor.md;
what a guest's entry allows: Privileged 20211203 §4.3.2 and, for PMP, §3.7.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.hypervisor.kernel_bench import (
    ALL,
    GLOBAL,
    PIECE,
    RAM,
    RAM_PAGE,
    A,
    Bench,
    D,
    G,
    R,
    U,
    V,
    W,
    X,
    in_mode,
    own,
    real,
)
from toyvm.hart import mmu
from toyvm.hart import state as s
from toyvm.hypervisor import shadow
from toyvm.isa import csr, sv32

BASE = V | A | D


# ---- megapages -----------------------------------------------------------------------------------


def mega(
    pages: int = 2048, first: int = 1024, at: int = 0, protect: int = 0, pmp: int = 0
) -> Bench:
    """A guest whose megapage at page `at` lies in frames from `first` on, one after the other."""
    b = Bench(touched=(), pages=pages, protect=protect, pmp=pmp)
    b.fmap[at : at + 1024] = np.arange(first, first + 1024)[: max(pages - at, 0)]
    return b


def whole(b: Bench, page: int = 0) -> int:
    found, changed = b.changes(lambda: shadow._whole(b.g, b.c, RAM_PAGE + page))
    assert changed == {}
    return int(found)


def test_frames_that_lie_together_are_a_megapage() -> None:
    assert whole(mega()) == 1024
    assert whole(mega(first=0)) == 0
    assert whole(mega(pages=1024)) == 1024
    assert whole(mega(at=1024, first=2048), 1024) == 2048
    assert whole(mega(pages=1023)) == -1
    assert whole(mega(pages=2047, at=1024), 1024) == -1
    assert whole(mega(), -1024) == -1
    assert whole(mega(), -1) == -1
    assert whole(mega(first=1025)) == -1
    assert whole(mega(first=1536)) == -1
    assert whole(mega(), 1024) == -1
    # Exactly one of them is elsewhere, in the first and last places too.
    for index in (1, 512, 1022, 1023):
        b = mega()
        b.fmap[index] = 3
        assert whole(b) == -1
        b.fmap[index] = -1
        assert whole(b) == -1
    # What lies behind does not count.
    b = mega()
    b.fmap[1024] = 7
    assert whole(b) == 1024


def test_a_protected_page_divides_its_megapage() -> None:
    for page, wanted in ((0, -1), (5, -1), (1023, -1), (1024, 1024)):
        b = mega(protect=1)
        b.nodes((20, -1, 0), (21, page, 1))
        assert whole(b) == wanted
        b.c[shadow.PROTECT] = 0
        assert whole(b) == 1024
    b = mega(protect=1)
    b.c[shadow.NODE_GUEST] = RAM_PAGE  # behind the last one
    assert whole(b) == 1024


def test_pmp_may_divide_a_megapage() -> None:
    """TOR entries between these pages; the first that matches decides (§3.7.1)."""
    cases: list[tuple[tuple[int, ...], int]] = [
        ((0, 1024), 1024),
        ((-5, 1030), 1024),
        ((0, 1023), -1),
        ((1, 1024), -1),
        ((5, 6), -1),
        ((1023, 1500), -1),
        ((-9, 1), -1),
        ((-9, 0), 1024),
        ((1024, 1500), 1024),
        # A later one does not matter below one that covers all.
        ((0, 1024, 5, 6), 1024),
        ((1024, 1500, 5, 6), -1),
    ]
    for edges, wanted in cases:
        b = mega(pmp=16)
        for i, edge in enumerate(edges):
            b.v[s.PMPADDR + i] = (RAM_PAGE + edge) << sv32.PMP_GRAIN
            if i % 2:
                b.v[s.PMPCFG + i] = sv32.PMP_TOR | 7
        assert whole(b) == wanted, edges
        # Entries that are not there do not count.
        b.v[s.PMP_COUNT] = 0
        assert whole(b) == 1024


def test_the_last_pmp_entry_divides_too() -> None:
    b = mega(pmp=16)
    b.v[s.PMPADDR + 15] = (RAM_PAGE + 5) << sv32.PMP_GRAIN
    b.v[s.PMPCFG + 15] = sv32.PMP_TOR | 7
    assert whole(b) == -1


# ---- entries -------------------------------------------------------------------------------------


def put(old: int, entry: int) -> tuple[int, list[int]]:
    """An entry in place of another: what stands there then, and what the real TLB has lost."""
    b = Bench()
    b.put(20, 3, old)
    b.fill_tlb()
    got, changed = b.changes(lambda: shadow._put(b.h, b.c, (20 << 12) + 12, entry, 0x1234_5678))
    assert got == shadow.FILLED
    assert {key for key in changed if key[0] != "tlb"} <= {("ram", 20 * 1024 + 3)}
    return b.word(20, 3), b.flushed()


def test_an_entry_keeps_the_rights_it_had() -> None:
    lost = [0x45]
    new = real(9, BASE | R | U)
    assert put(0, new) == (new, [])
    assert put(real(9, BASE | X | U), new) == (new | X, [])
    assert put(real(9, BASE | R | W | X | U), new) == (new | W | X, [])
    assert put(real(9, BASE | R | U | GLOBAL), new) == (new, [])
    # Another frame, or user and supervisor: the old one is gone, in the TLB too.
    assert put(real(10, BASE | X | U), new) == (new, lost)
    assert put(real(9, BASE | X), new) == (new, lost)
    assert put(real(9, BASE | X | U), real(9, BASE | R)) == (real(9, BASE | R), lost)
    # What is not valid was nothing.
    assert put(real(10, X | U), new) == (new, [])


# ---- a fill --------------------------------------------------------------------------------------

VA = 0xC0F0_5678
"""Upper index 771, lower index 773."""
UPPER, LOWER = 771, 773
#: The first frames of the reserve: the root's, then that of the first table below.
ROOT, BELOW = 40, 41


def faulting(
    leaf: int,
    mode: int = s.MODE_S,
    status: int = 0,
    pointer: int = own(2, V),
    **options: Any,
) -> Bench:
    """A guest (its root is page 1, the next table page 2) on its shadow root, which is empty."""
    b = Bench(**options)
    in_mode(b, mode, status=status)
    shadow.point(b.h, b.g, b.c)
    b.put(9, UPPER, pointer)
    b.put(10, LOWER, leaf)
    return b


def fill(b: Bench, access: int, va: int = VA) -> tuple[int, dict[tuple[str, int], int]]:
    got, changed = b.changes(lambda: shadow.fill(b.h, b.g, b.c, va, access))
    return int(got), changed


def made(pointer: int, leaf: int, guest: int = 2) -> dict[tuple[str, int], int]:
    """A table of the second level and its one entry."""
    fields = {shadow.FREE: 22, shadow.NODES: 2, shadow.NODE_FRAME + 1: BELOW}
    fields |= {shadow.NODE_GUEST + 1: RAM_PAGE + guest if guest >= 0 else -1}
    fields |= {shadow.NODE_KEY + 1: UPPER + 1}
    words = {ROOT * 1024 + UPPER: pointer, BELOW * 1024 + LOWER: leaf}
    changed = {("c", i): value for i, value in fields.items()}
    return changed | {("ram", i): value for i, value in words.items()}


@pytest.mark.parametrize(("access", "rights"), [(mmu.LOAD, R), (mmu.STORE, R | W), (mmu.FETCH, X)])
def test_an_entry_has_the_rights_that_were_asked_for(access: int, rights: int) -> None:
    table = real(BELOW, V)
    got, changed = fill(faulting(own(7, ALL)), access)
    assert got == shadow.FILLED
    assert changed == made(table, real(15, BASE | U | rights))
    got, changed = fill(faulting(own(7, ALL | G)), access)
    assert changed == made(table, real(15, BASE | U | rights | GLOBAL))
    # U-mode's page; and natively U is as the guest says.
    got, changed = fill(faulting(own(7, ALL | U), s.MODE_U), access)
    assert changed == made(table, real(15, BASE | U | rights))
    s_tech = shadow.TECHNIQUE_S
    got, changed = fill(faulting(own(7, ALL), technique=s_tech), access)
    assert changed == made(table, real(15, BASE | rights))
    got, changed = fill(faulting(own(7, ALL | U), s.MODE_U, technique=s_tech), access)
    assert changed == made(table, real(15, BASE | U | rights))


def test_a_second_entry_of_a_table_costs_one_word() -> None:
    b = faulting(own(7, ALL))
    fill(b, mmu.LOAD)
    assert fill(b, mmu.LOAD) == (shadow.FILLED, {})
    leaf = ("ram", BELOW * 1024 + LOWER)
    assert fill(b, mmu.STORE) == (shadow.FILLED, {leaf: real(15, BASE | U | R | W)})
    assert fill(b, mmu.FETCH) == (shadow.FILLED, {leaf: real(15, BASE | U | R | W | X)})
    b.put(10, LOWER + 1, own(6, ALL))
    _got, changed = fill(b, mmu.LOAD, VA + 0x1000)
    assert changed == {("ram", BELOW * 1024 + LOWER + 1): real(14, BASE | U | R)}


def test_the_guests_entry_gets_a_and_d() -> None:
    b = faulting(own(7, V | R | W))
    _got, changed = fill(b, mmu.LOAD)
    assert changed["ram", 10 * 1024 + LOWER] == own(7, V | R | W | A)
    _got, changed = fill(b, mmu.STORE)
    assert changed["ram", 10 * 1024 + LOWER] == own(7, V | R | W | A | D)


@pytest.mark.parametrize(("access", "cause"), [(mmu.LOAD, 13), (mmu.STORE, 15), (mmu.FETCH, 12)])
def test_what_the_guest_does_not_allow_is_its_own_fault(access: int, cause: int) -> None:
    for leaf in (0, own(7, V | A | U | R | W | X)):
        b = faulting(leaf)
        if leaf and access == mmu.FETCH:
            b.v[s.MSTATUS] |= csr.MSTATUS_SUM
        got, changed = fill(b, access)
        assert got == shadow.FAULT
        assert changed == {("v", s.CAUSE): cause, ("v", s.TVAL): VA}


@pytest.mark.parametrize(("access", "cause"), [(mmu.LOAD, 5), (mmu.STORE, 7), (mmu.FETCH, 1)])
def test_a_table_outside_of_ram_is_an_access_fault(access: int, cause: int) -> None:
    got, changed = fill(faulting(0, pointer=own(99, V)), access)
    assert got == shadow.FAULT
    assert changed == {("v", s.CAUSE): cause, ("v", s.TVAL): VA}


def test_a_page_that_is_no_ram() -> None:
    for page in (64, 99):
        got, changed = fill(faulting(own(page, ALL)), mmu.LOAD)
        assert (got, changed) == (shadow.NOT_RAM, {})


def test_pages_get_frames_on_the_way() -> None:
    b = faulting(0, pointer=own(20, V))
    b.put(63, 0, 0)
    # The table gets a frame; it says nothing, so that is a page fault.
    got, _changed = fill(b, mmu.LOAD)
    assert (got, b.v[s.CAUSE], b.fmap[20]) == (shadow.FAULT, 13, 41)
    b.put(41, LOWER, own(30, ALL))
    got, _changed = fill(b, mmu.LOAD)
    assert (got, b.fmap[30]) == (shadow.FILLED, 42)
    assert b.word(43, LOWER) == real(42, BASE | U | R)
    assert b.listed()[1] == (43, 20, UPPER + 1)


def test_no_frame_for_a_page_or_a_table() -> None:
    for leaf in (own(30, ALL), own(7, ALL)):
        b = faulting(leaf)
        b.c[shadow.FREE] = 0
        assert fill(b, mmu.LOAD) == (shadow.NO_FRAME, {})


def test_too_many_tables_are_all_dropped() -> None:
    b = faulting(own(7, ALL))
    b.c[shadow.NODES] = shadow.RESERVE
    b.know(0)
    got, _changed = fill(b, mmu.LOAD)
    assert got == shadow.FILLED
    assert (b.c[shadow.NODES] < 256, b.c[shadow.TAGS], b.known()) == (True, 0, [])
    assert b.word(ROOT, UPPER) == 0
    b = faulting(own(7, ALL))
    b.c[shadow.NODES] = shadow.RESERVE - 1
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED
    assert (b.c[shadow.NODES], b.word(ROOT, UPPER)) == (256, real(BELOW, V))


def test_a_store_to_a_protected_table_is_done_by_hand() -> None:
    for page in (1, 2):
        b = faulting(own(page, ALL), protect=1)
        fill(b, mmu.LOAD)
        assert fill(b, mmu.STORE) == (shadow.BY_HAND, {})
        assert fill(b, mmu.FETCH)[0] == shadow.FILLED
        b.c[shadow.PROTECT] = 0
        assert fill(b, mmu.STORE)[0] == shadow.FILLED
    # No table: a page as others.
    assert fill(faulting(own(7, ALL), protect=1), mmu.STORE)[0] == shadow.FILLED


def test_readable_by_mxr_alone() -> None:
    """Natively such a page is read through an entry that can be executed."""
    status = csr.MSTATUS_MXR
    b = faulting(own(7, V | X | A), status=status, technique=shadow.TECHNIQUE_S)
    assert fill(b, mmu.LOAD) == (shadow.FILLED, made(real(BELOW, V), real(15, BASE | X)))
    b = faulting(own(7, V | X | A), status=status)
    assert fill(b, mmu.LOAD) == (shadow.FILLED, made(real(BELOW, V), real(15, BASE | U | R)))
    # Where PMP lets nothing be executed it is done by hand.
    b = faulting(own(7, V | X | A), status=status, technique=shadow.TECHNIQUE_S, pmp=1)
    b.v[s.PMPCFG], b.v[s.PMPADDR] = sv32.PMP_NAPOT | R >> 1, 0xFFFF_FFFF
    assert fill(b, mmu.LOAD) == (shadow.BY_HAND, {})
    b.v[s.PMPCFG] |= X >> 1
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED


def test_without_translation_an_address_is_its_own() -> None:
    va = RAM + 0x7678
    place = (va >> 22, va >> 12 & 1023)
    for technique, mode, user in (
        (shadow.TECHNIQUE_U, s.MODE_S, U),
        (shadow.TECHNIQUE_U, s.MODE_U, U),
        (shadow.TECHNIQUE_U, s.MODE_M, U),
        (shadow.TECHNIQUE_S, s.MODE_S, 0),
        (shadow.TECHNIQUE_S, s.MODE_U, U),
        (shadow.TECHNIQUE_S, s.MODE_M, U),
    ):
        b = Bench(technique=technique)
        in_mode(b, mode, satp=0)
        shadow.point(b.h, b.g, b.c)
        assert fill(b, mmu.LOAD, va)[0] == shadow.FILLED
        assert b.word(ROOT, place[0]) == real(BELOW, V)
        assert b.word(BELOW, place[1]) == real(15, BASE | R | user)
        assert b.listed()[1] == (BELOW, -1, place[0] + 1)


def test_the_first_page_of_memory_and_the_first_frame() -> None:
    b = Bench(touched=())
    b.fmap[0] = 0
    in_mode(b, s.MODE_M)
    shadow.point(b.h, b.g, b.c)
    assert fill(b, mmu.LOAD, RAM)[0] == shadow.FILLED
    assert b.word(BELOW, 0) == real(0, BASE | R | U)


def test_a_table_in_the_first_frame() -> None:
    b = faulting(own(7, ALL))
    b.c[shadow.STACK + 22] = 0
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED
    assert (b.word(ROOT, UPPER), b.word(0, LOWER)) == (real(0, V), real(15, BASE | U | R))


def test_mprv_lends_data_another_mode() -> None:
    """A fetch goes by M-mode, a load by MPP and its tables (§3.1.6.3)."""
    status = csr.MSTATUS_MPRV | s.MODE_S << 11
    b = faulting(own(7, ALL), s.MODE_M, status)
    assert fill(b, mmu.FETCH) == (shadow.NOT_RAM, {})
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED
    b.v[s.MSTATUS] = status & ~csr.MSTATUS_MPRV
    assert fill(b, mmu.LOAD) == (shadow.NOT_RAM, {})


# ---- megapages of the guest ----------------------------------------------------------------------


def guest_mega(first: int = 1024, leaf: int = V | R | W | X | A | D, **options: Any) -> Bench:
    """VA lies in a megapage of the guest, its pages from 1024 on."""
    b = faulting(0, pointer=own(1024, leaf), pages=2048, **options)
    b.fmap[1024:2048] = np.arange(first, first + 1024)
    return b


PAGE = VA >> 12 & 1023


def test_a_megapage_becomes_one() -> None:
    place = ("ram", ROOT * 1024 + UPPER)
    b = guest_mega()
    b.know(0)
    assert fill(b, mmu.LOAD) == (
        shadow.FILLED,
        {("v", s.SUPERPAGES): 1, place: real(1024, BASE | U | R)},
    )
    # More rights: nothing is forgotten.
    assert fill(b, mmu.STORE) == (shadow.FILLED, {place: real(1024, BASE | U | R | W)})
    assert b.known() == [0]
    b = guest_mega(first=0)
    fill(b, mmu.LOAD)
    assert b.word(ROOT, UPPER) == real(0, BASE | U | R)
    b = guest_mega(leaf=ALL | G)
    fill(b, mmu.FETCH)
    assert b.word(ROOT, UPPER) == real(1024, BASE | U | X | GLOBAL)


def test_a_table_gives_way_to_a_megapage() -> None:
    b = guest_mega()
    fill(b, mmu.LOAD)
    b.put(9, UPPER, own(2, V))
    b.put(10, LOWER, own(7, ALL))
    b.know(0)
    # The megapage first gives way to a table.
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED
    assert b.known() == []
    assert b.word(ROOT, UPPER) == real(BELOW, V)
    assert b.word(BELOW, LOWER) == real(15, BASE | U | R)
    assert b.listed()[1:] == [(BELOW, 2, UPPER + 1)]
    b.put(9, UPPER, own(1024, ALL))
    b.know(0)
    assert fill(b, mmu.LOAD)[0] == shadow.FILLED
    assert b.known() == []
    assert b.word(ROOT, UPPER) == real(1024, BASE | U | R)
    assert (b.listed()[1:], b.free()[-1]) == ([], BELOW)


def test_a_megapage_whose_frames_are_apart_comes_in_pieces() -> None:
    b = guest_mega(first=1025)
    got, changed = fill(b, mmu.LOAD)
    assert got == shadow.FILLED
    # `PAGE` is the piece's place in the second level, and in the megapage.
    pointer, leaf = real(BELOW, V | PIECE), real(1025 + PAGE, BASE | U | R | PIECE)
    assert changed == made(pointer, leaf, guest=-1) | {("v", s.SUPERPAGES): 1}
    # The mark on the pointer stays when a plain page comes to the same table.
    b.put(9, UPPER, own(2, V))
    b.put(10, LOWER + 1, own(7, ALL))
    got, changed = fill(b, mmu.LOAD, VA + 0x1000)
    assert changed == {("ram", BELOW * 1024 + LOWER + 1): real(15, BASE | U | R)}


def test_no_frame_for_a_piece_of_a_megapage() -> None:
    b = guest_mega(first=1025)
    b.c[shadow.FREE] = 0
    got, changed = fill(b, mmu.LOAD)
    assert (got, changed) == (shadow.NO_FRAME, {("v", s.SUPERPAGES): 1})
