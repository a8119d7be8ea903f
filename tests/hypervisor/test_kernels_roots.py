"""Each kernel around the roots of shadow tables by itself: tags, new tables, the turn of roots.

Every call says all that it may change.  Layouts: `shadow`'s docstrings and docs/hypervisor.md.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.kernel_bench import (
    RAM_PAGE,
    SV32,
    Bench,
    R,
    V,
    W,
    in_mode,
    real,
)
from toyvm.hart import state as s
from toyvm.hart import tlb
from toyvm.hypervisor import shadow
from toyvm.isa import csr

NATIVE = 1 << 41


# ---- roots ---------------------------------------------------------------------------------------


def test_which_modes_run_natively() -> None:
    for technique, native in ((shadow.TECHNIQUE_U, ()), (shadow.TECHNIQUE_S, (0, 1))):
        b = Bench(technique)
        for mode in (0, 1, 3):
            in_mode(b, mode)
            assert shadow.native(b.v, b.c) == (mode in native)


def test_when_all_data_accesses_exit() -> None:
    b = Bench()
    for mode in (0, 1, 3):
        for status in (0, csr.MSTATUS_MPRV, csr.MSTATUS_MPRV | csr.MSTATUS_SUM, csr.MSTATUS_SUM):
            in_mode(b, mode, status=status)
            wanted = mode == 3 and status & csr.MSTATUS_MPRV != 0
            assert bool(shadow.executes_only(b.v)) == wanted


def tag(technique: int, mode: int, satp: int, status: int = 0) -> int:
    b = Bench(technique)
    in_mode(b, mode, satp, status)
    found, changed = b.changes(lambda: shadow._root_tag(b.v, b.c))
    assert changed == {}
    return int(found)


def test_tags_of_roots() -> None:
    satp = SV32 | 5 << 22 | RAM_PAGE + 1
    table = (5 << 22 | RAM_PAGE + 1) << 6
    u, native = shadow.TECHNIQUE_U, shadow.TECHNIQUE_S
    both = csr.MSTATUS_SUM | csr.MSTATUS_MXR
    # U: as the TLB's contexts are named; MPRV (bit 40) only in M-mode.
    assert tag(u, 1, satp) == 1 | 1 << 1 | tlb.TRANSLATED | table
    assert tag(u, 0, satp, both) == 1 | tlb.TRANSLATED | both >> 14 | table
    assert tag(u, 3, satp) == 1 | 3 << 1
    assert tag(u, 3, satp, csr.MSTATUS_MPRV) == 1 | 3 << 1 | 1 << 40
    assert tag(u, 1, satp, csr.MSTATUS_MPRV) == 1 | 1 << 1 | tlb.TRANSLATED | table
    # S: the real hart applies mode, SUM and MXR; without translation the mode decides.
    for mode in (0, 1):
        assert tag(native, mode, satp, both) == NATIVE | 1 | tlb.TRANSLATED | table
        assert tag(native, mode, satp & ~SV32, both) == NATIVE | 1 | mode << 1
    assert tag(native, 3, satp, csr.MSTATUS_MPRV) == 1 | 3 << 1 | 1 << 40


def test_a_new_table_is_listed() -> None:
    for protect, guest in ((0, RAM_PAGE + 3), (1, -1), (0, -1)):
        b = Bench(protect=protect)
        b.nodes((20, 1, 0), (21, 2, 1))
        b.words[40 * 1024 : 41 * 1024] = 7
        b.put(20, 0, real(11, V | R | W))
        frame, changed = b.changes(lambda g=guest, b=b: shadow._new_table(b.h, b.g, b.c, 77, g))
        assert frame == 40
        zeroed = {("ram", 40 * 1024 + i): 0 for i in range(1024)}
        fields = {shadow.FREE: 23, shadow.NODES: 3, shadow.NODE_FRAME + 2: 40}
        fields |= {shadow.NODE_GUEST + 2: guest, shadow.NODE_KEY + 2: 77}
        assert changed == zeroed | {("c", i): value for i, value in fields.items()}


@pytest.mark.parametrize(("free", "nodes"), [(0, 0), (0, 255), (5, 256)])
def test_no_room_for_a_new_table(free: int, nodes: int) -> None:
    b = Bench()
    b.c[shadow.FREE], b.c[shadow.NODES] = free, nodes
    got, changed = b.changes(lambda: shadow._new_table(b.h, b.g, b.c, 77, RAM_PAGE))
    assert (got, changed) == (-1, {})


def test_the_last_table_that_there_is() -> None:
    b = Bench()
    b.c[shadow.FREE], b.c[shadow.NODES] = 1, 255
    assert shadow._new_table(b.h, b.g, b.c, 77, -1) == 63
    assert (b.c[shadow.FREE], b.c[shadow.NODES]) == (0, 256)


def withdrawn(guest: int, protect: int, listed: int = 9) -> bool:
    """A new table for this page, in frame guest + 8: does an entry lose W?"""
    b = Bench(protect=protect)
    b.fmap[:8] = range(8)
    b.nodes((20, listed, 0))
    b.put(20, 3, real(guest, V | R | W))
    shadow._new_table(b.h, b.g, b.c, 1, RAM_PAGE + guest)
    return not b.word(20, 3) & W


def test_a_page_that_becomes_a_table_loses_its_writes() -> None:
    assert withdrawn(3, protect=1)
    assert withdrawn(0, protect=1), "the first frame and the first page"
    assert not withdrawn(3, protect=0)
    assert not withdrawn(3, protect=1, listed=3), "it has lost them before"
    # A page without a frame has none.
    assert not withdrawn(30, protect=1)


def test_a_table_in_the_first_page_of_memory_is_one() -> None:
    """A guest page number of 0 is no RAM; nothing is withdrawn, and it is listed as it is."""
    b = Bench(protect=1)
    assert shadow._new_table(b.h, b.g, b.c, 1, 0) == 40
    assert b.c[shadow.NODE_GUEST] == 0


def pointed(root: int, frame: int) -> int:
    """satp (§4.1.11): MODE, ASID from bit 22, PPN."""
    return 1 << 31 | (root + 1) << 22 | RAM_PAGE + frame


def test_a_first_root() -> None:
    b = Bench()
    in_mode(b, 1)
    got, changed = b.changes(lambda: shadow.point(b.h, b.g, b.c))
    assert got == shadow.FILLED
    wanted = tag(shadow.TECHNIQUE_U, 1, int(b.v[s.SATP]))
    fields = {shadow.FREE: 23, shadow.NODES: 1, shadow.NODE_FRAME: 40, shadow.NEXT_ROOT: 1}
    fields |= {shadow.NODE_GUEST: RAM_PAGE + 1, shadow.TAGS: wanted, shadow.TABLES: 40}
    expected = {("c", i): value for i, value in fields.items()}
    assert changed == expected | {("h", s.SATP): pointed(0, 40)}
    # Again: nothing to do at all.
    assert b.changes(lambda: shadow.point(b.h, b.g, b.c)) == (shadow.FILLED, {})


def test_roots_are_found_again() -> None:
    """Each context has one root; coming back to one costs no frame and forgets nothing."""
    b = Bench()
    for mode in (3, 1, 0):
        in_mode(b, mode)
        shadow.point(b.h, b.g, b.c)
    assert b.listed() == [(40, -1, 0), (41, 1, 1 << 11), (42, 1, 2 << 11)]
    b.know(0, 1, 2)
    for mode, root, current in ((1, 1, 2), (3, 0, 1), (0, 2, 0)):
        in_mode(b, mode)
        assert b.c[shadow.CURRENT] == current
        got, changed = b.changes(lambda: shadow.point(b.h, b.g, b.c))
        assert got == shadow.FILLED
        assert changed == {("c", shadow.CURRENT): root, ("h", s.SATP): pointed(root, 40 + root)}
    assert b.free() == list(range(63, 42, -1))


def test_staying_at_a_root_does_nothing() -> None:
    b = Bench()
    for mode in (3, 1):
        in_mode(b, mode)
        shadow.point(b.h, b.g, b.c)
    b.hp[s.SATP] = 1234  # nobody looks at it
    assert b.changes(lambda: shadow.point(b.h, b.g, b.c)) == (shadow.FILLED, {})
    # What stands before the tags is none of them.
    in_mode(b, 0)
    b.c[shadow.TAGS - 1] = tag(shadow.TECHNIQUE_U, 0, int(b.v[s.SATP]))
    shadow.point(b.h, b.g, b.c)
    assert (b.c[shadow.CURRENT], b.hp[s.SATP]) == (2, pointed(2, 42))


def many_roots(count: int, next_root: int) -> Bench:
    """`count` roots of other contexts, from 0 on, in frames from 8 on."""
    b = Bench()
    in_mode(b, 1)
    b.nodes(*((8 + i, 2, i << 11) for i in range(count)))
    for i in range(count):
        b.c[shadow.TAGS + i] = 1 | tlb.TRANSLATED | 100 + i << 28
        b.c[shadow.TABLES + i] = 8 + i
    b.c[shadow.NEXT_ROOT] = next_root
    b.c[shadow.CURRENT] = 2
    return b


def test_the_next_root_is_taken_in_turn() -> None:
    b = many_roots(32, 31)
    b.know(30, 31, 0)
    assert shadow.point(b.h, b.g, b.c) == shadow.FILLED
    assert (b.c[shadow.CURRENT], b.c[shadow.NEXT_ROOT]) == (31, 32)
    # What it had is given back first, and is the frame that is taken.
    assert b.listed() == [*((8 + i, 2, i << 11) for i in range(31)), (39, 1, 31 << 11)]
    assert b.free() == list(range(63, 39, -1))
    assert b.known() == [0, 2]
    assert b.hp[s.SATP] == pointed(31, 39)
    in_mode(b, 0)
    shadow.point(b.h, b.g, b.c)
    assert (b.c[shadow.CURRENT], b.c[shadow.NEXT_ROOT]) == (0, 1)
    assert [i for i in range(32) if b.c[shadow.TAGS + i] >> 28 >= 100] == list(range(1, 31))


def test_an_unused_root_has_nothing_to_give_back() -> None:
    b = many_roots(5, 7)
    # Not a root's, but its key would be: nobody asks for it.
    b.know(7, 5)
    assert shadow.point(b.h, b.g, b.c) == shadow.FILLED
    assert (b.c[shadow.CURRENT], b.c[shadow.NEXT_ROOT]) == (7, 8)
    assert b.known() == [0, 1]
    assert len(b.listed()) == 6


def test_the_last_of_two_roots_is_found() -> None:
    b = many_roots(32, 4)
    b.c[shadow.TAGS + 31] = tag(shadow.TECHNIQUE_U, 1, int(b.v[s.SATP]))
    _got, changed = b.changes(lambda: shadow.point(b.h, b.g, b.c))
    assert changed == {("c", shadow.CURRENT): 31, ("h", s.SATP): pointed(31, 39)}


def test_no_frame_for_a_root() -> None:
    b = many_roots(5, 7)
    b.c[shadow.FREE] = 0
    got, changed = b.changes(lambda: shadow.point(b.h, b.g, b.c))
    assert (got, changed) == (shadow.NO_FRAME, {})
    # A root that is there needs none.
    b.c[shadow.TAGS + 4] = tag(shadow.TECHNIQUE_U, 1, int(b.v[s.SATP]))
    assert shadow.point(b.h, b.g, b.c) == shadow.FILLED


@pytest.mark.parametrize("nodes", [255, 256])
def test_no_room_for_a_root_drops_them_all(nodes: int) -> None:
    b = many_roots(5, 7)
    for i in range(5, nodes):
        b.c[shadow.NODE_FRAME + i], b.c[shadow.NODE_KEY + i] = 30, 4 << 11 | i
    b.c[shadow.NODES] = nodes
    b.know(4)
    assert shadow.point(b.h, b.g, b.c) == shadow.FILLED
    assert (b.c[shadow.CURRENT], b.c[shadow.NEXT_ROOT]) == (7, 8)
    if nodes == 255:
        assert (b.c[shadow.NODES], b.c[shadow.FREE], b.known()) == (256, 23, [0])
    else:
        assert b.listed()[0][1:] == (1, 7 << 11)
        assert (b.c[shadow.NODES], b.c[shadow.FREE], b.known()) == (1, 24 + 256 - 1, [])
        assert [i for i in range(32) if b.c[shadow.TAGS + i]] == [7]


def test_without_translation_no_guest_table_is_shadowed() -> None:
    b = Bench(protect=1)
    in_mode(b, 1, satp=RAM_PAGE + 1)
    shadow.point(b.h, b.g, b.c)
    assert b.listed() == [(40, -1, 0)]
