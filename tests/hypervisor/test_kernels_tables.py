"""Each kernel of the shadow tables by itself: frames, walks, and what is forgotten.

Every call says all that it may change; anything else is a failure.  Layouts: `shadow`'s docstrings
and docs/hypervisor.md; guest tables: Privileged 20211203 §4.3.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.kernel_bench import (
    GLOBAL,
    PIECE,
    RAM,
    RAM_PAGE,
    SV32,
    Bench,
    G,
    R,
    V,
    W,
    X,
    context,
    own,
    real,
    rooted,
)
from toyvm.hart import state as s
from toyvm.hart import tlb
from toyvm.hypervisor import shadow

# ---- frames --------------------------------------------------------------------------------------


def test_a_frame_is_taken_from_the_top_and_zeroed() -> None:
    b = Bench()
    b.words[:] = 0xFFFF_FFFF
    frame, changed = b.changes(lambda: shadow._take_frame(b.c, b.ram))
    assert frame == 40
    zeroed = {("ram", 40 * 1024 + i): 0 for i in range(1024)}
    assert changed == zeroed | {("c", shadow.FREE): 23}


@pytest.mark.parametrize("page", [0, 5, 63])
def test_a_page_without_a_frame_gets_one(page: int) -> None:
    b = Bench(touched=())
    b.c[shadow.FREE] = 1
    got, changed = b.changes(lambda: shadow._claim(b.g, b.c, RAM + (page << 12) + 0xFFF))
    assert got == shadow.FILLED
    assert changed == {("c", shadow.FREE): 0, ("fmap", page): 63}


@pytest.mark.parametrize("page", [-1, 64, 65, 3])
def test_a_page_outside_of_ram_or_with_a_frame_gets_none(page: int) -> None:
    b = Bench(touched=(3,))
    b.fmap[63] = -1
    got, changed = b.changes(lambda: shadow._claim(b.g, b.c, RAM + (page << 12)))
    assert (got, changed) == (shadow.FAULT, {})


def test_an_empty_reserve_gives_no_frame() -> None:
    b = Bench(touched=())
    b.c[shadow.FREE] = 0
    got, changed = b.changes(lambda: shadow._claim(b.g, b.c, RAM))
    assert (got, changed) == (shadow.NO_FRAME, {})


# ---- walking without rights ----------------------------------------------------------------------

VA = 0xC0F0_5678
"""Upper index 771, lower index 773, offset 0x678."""


def walking(root: int = 0, below: int = 0, satp_page: int = 1) -> Bench:
    """A guest whose root is page 1, in S-mode; its entry for VA, and that in page 2."""
    b = Bench()
    b.v[s.MODE] = s.MODE_S
    b.v[s.SATP] = SV32 | 5 << 22 | RAM_PAGE + satp_page
    b.put(9, 771, root)
    b.put(10, 773, below)
    return b


@pytest.mark.parametrize(
    ("root", "below", "expected"),
    [
        (0, 0, (-1, 0, False, -1)),
        (own(2, R | W), 0, (-1, 0, False, -1)),
        (own(1024, V | R), 0, (RAM + 0x70_5678, own(1024, V | R), True, RAM_PAGE + 1)),
        (own(1024, V | W), 0, (RAM + 0x70_5678, own(1024, V | W), True, RAM_PAGE + 1)),
        (own(1024, V | X), 0, (RAM + 0x70_5678, own(1024, V | X), True, RAM_PAGE + 1)),
        (own(2, V), 0, (-1, 0, False, -1)),
        (own(2, V), own(7, R), (-1, 0, False, -1)),
        (own(2, V), own(7, V), (RAM + 0x7678, own(7, V), False, RAM_PAGE + 2)),
        (own(2, V), own(7, V | R | G), (RAM + 0x7678, own(7, V | R | G), False, RAM_PAGE + 2)),
        (own(2, V | G), own(99, V | X), (RAM + 0x6_3678, own(99, V | X), False, RAM_PAGE + 2)),
        # A table without a frame: the address of the entry that is wanted.
        (own(20, V), 0, (RAM + 0x1_4C14, 0, False, -1)),
        (own(99, V), 0, (RAM + 0x6_3C14, 0, False, -1)),
    ],
)
def test_what_a_walk_finds(root: int, below: int, expected: tuple[int, ...]) -> None:
    b = walking(root, below)
    for mode in (s.MODE_U, s.MODE_S):
        found, changed = b.changes(lambda mode=mode: shadow.look(b.g, VA, mode))
        assert tuple(found) == expected
        assert changed == {}
    assert tuple(shadow.look(b.g, VA, s.MODE_M)) == (VA, 0, False, -1)
    b.v[s.SATP] &= ~SV32
    assert tuple(shadow.look(b.g, VA, s.MODE_S)) == (VA, 0, False, -1)


def test_a_root_without_a_frame_is_named_by_its_entry() -> None:
    b = walking(satp_page=20)
    assert tuple(shadow.look(b.g, VA, s.MODE_S)) == (RAM + 0x1_4C0C, 0, False, -1)


def test_a_walk_uses_a_table_in_the_first_frame() -> None:
    b = walking()
    b.fmap[1], b.fmap[2] = 0, 0
    b.put(0, 771, own(2, V))
    b.put(0, 773, own(7, V | R))
    assert tuple(shadow.look(b.g, VA, s.MODE_S)) == (RAM + 0x7678, own(7, V | R), False, 0x80002)


def test_a_walk_uses_the_very_first_word() -> None:
    b = walking()
    b.fmap[1] = b.fmap[2] = 0
    b.put(0, 0, own(2, V))
    assert tuple(shadow.look(b.g, 0x678, s.MODE_S)) == (RAM + 0x2678, own(2, V), False, 0x80002)
    b.put(0, 0, own(1024, V | R))
    found = shadow.look(b.g, 0x678, s.MODE_S)
    assert tuple(found) == (RAM + 0x40_0678, own(1024, V | R), True, 0x80001)


def test_touching_gives_a_frame_to_what_the_walk_names() -> None:
    b = walking(own(20, V))
    got, changed = b.changes(lambda: shadow.touch(b.g, b.c, VA, s.MODE_S))
    assert got == shadow.FILLED
    assert changed == {("c", shadow.FREE): 23, ("fmap", 20): 40}
    # Now its entry is 0: there is nothing to touch.
    assert b.changes(lambda: shadow.touch(b.g, b.c, VA, s.MODE_S)) == (shadow.FAULT, {})
    b.put(40, 773, own(30, V | R))
    got, changed = b.changes(lambda: shadow.touch(b.g, b.c, VA, s.MODE_S))
    assert (got, changed) == (shadow.FILLED, {("c", shadow.FREE): 22, ("fmap", 30): 41})
    assert b.changes(lambda: shadow.touch(b.g, b.c, VA, s.MODE_S)) == (shadow.FAULT, {})


# ---- forgetting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [0, 5, 30, 31])
def test_a_root_is_forgotten_in_every_context(root: int) -> None:
    b = Bench()
    others = [tag for other in range(32) if other != root for tag in [context(other)]]
    tags = [*others[max(root - 3, 0) :], *others][:16]
    tags[0] = tags[15] = tags[7] = context(root)
    tags[4] = context(root) & ~tlb.TRANSLATED
    tags[5] = 0
    b.hp[s.CONTEXT_TAGS : s.CONTEXT_TAGS + 16] = tags
    b.hp[s.PMPCFG] = context(root)
    _, changed = b.changes(lambda: shadow._forget(b.h, root))
    assert changed == {("h", s.CONTEXT_TAGS + i): 0 for i in (0, 7, 15)}


ROWS = (
    (20, 1, 3 << 11),
    (21, -1, 4 << 11),
    (22, 2, 3 << 11 | 1),
    (23, -1, 3 << 11 | 1024),
    (24, 3, 2 << 11 | 1024),
    (25, 4, 4 << 11 | 1),
)


@pytest.mark.parametrize(
    ("first", "last", "gone"),
    [
        (3 << 11, 3 << 11 | 2047, (0, 2, 3)),
        (3 << 11 | 1, 3 << 11 | 1, (2,)),
        (3 << 11 | 1, 3 << 11 | 1024, (2, 3)),
        (3 << 11 | 2, 3 << 11 | 1023, ()),
        (4 << 11, 4 << 11 | 1, (1, 5)),
    ],
)
def test_tables_are_given_back(first: int, last: int, gone: tuple[int, ...]) -> None:
    b = Bench()
    b.nodes(*ROWS)
    before = b.free()
    words = b.words.copy()
    shadow._drop_nodes(b.c, first, last)
    assert b.listed() == [row for i, row in enumerate(ROWS) if i not in gone]
    assert b.free() == before + [ROWS[i][0] for i in gone]
    assert (b.words == words).all()


def test_a_root_is_dropped_with_all_below() -> None:
    b = rooted((23, 4, 3 << 11 | 7), (24, 5, 31 << 11 | 7), (25, 6, 7))
    before = b.free()
    shadow._drop_root(b.h, b.c, 3)
    assert b.listed() == [(20, 1, 0), (22, 3, 31 << 11), (24, 5, 31 << 11 | 7), (25, 6, 7)]
    assert b.free() == [*before, 21, 23]
    assert [i for i in range(32) if b.c[shadow.TAGS + i]] == [0, 31]
    assert b.known() == [0, 2, 3]


def test_all_are_dropped() -> None:
    b = rooted((23, 4, 3 << 11 | 7), (24, 5, 31 << 11 | 7))
    before = b.free()
    shadow.drop_all(b.h, b.c)
    assert b.listed() == []
    assert b.free() == [*before, 20, 21, 23, 22, 24]
    assert not b.c[shadow.TAGS : shadow.TAGS + 32].any()
    # Only what those roots had: 9 is nobody's.
    assert b.known() == [3]


def test_an_unused_root_is_not_dropped() -> None:
    b = rooted()
    b.know(1, 2, 4, 30)
    shadow.drop_all(b.h, b.c)
    assert b.known() == [0, 1, 2, 3]


def test_an_entry_of_a_root_that_is_empty_is_left_alone() -> None:
    b = rooted((23, 4, 3 << 11 | 8))
    b.put(21, 7, real(23, R | W | X))  # without V
    _, changed = b.changes(lambda: shadow._drop_upper(b.h, b.c, 3, 7))
    assert changed == {}


@pytest.mark.parametrize("bits", [R, W | R, X])
def test_a_megapage_of_a_root_is_forgotten(bits: int) -> None:
    b = rooted((23, 4, 3 << 11 | 8))
    b.put(21, 7, real(0, V | bits))
    _, changed = b.changes(lambda: shadow._drop_upper(b.h, b.c, 3, 7))
    assert changed == {("ram", 21 * 1024 + 7): 0, ("h", s.CONTEXT_TAGS + 1): 0}


@pytest.mark.parametrize("index", [0, 7, 1023])
def test_a_table_below_a_root_is_forgotten(index: int) -> None:
    around = [(30, 4, 3 << 11 | index), (31, 4, 3 << 11 | index + 2), (32, 5, index + 1)]
    around = [row for row in around if row[2] & 2047]
    b = rooted(*around, (23, 4, 3 << 11 | index + 1))
    b.put(21, index, real(23, V))
    before = b.free()
    kept = b.listed()[:-1]
    shadow._drop_upper(b.h, b.c, 3, index)
    assert b.listed() == kept
    assert b.free() == [*before, 23]
    assert b.word(21, index) == 0
    assert b.known() == [0, 2, 3]


def test_leaves_are_cleared_by_their_marks() -> None:
    b = Bench()
    leaves = {
        0: real(1, V | R),
        1: real(1, V | R | GLOBAL),
        2: real(1, V | X),
        3: real(1, V),  # a pointer
        4: real(1, V | R | W | PIECE),
        5: real(1, V | R | PIECE | GLOBAL),
        1023: real(1, V | R),
    }
    for i, leaf in leaves.items():
        b.put(20, i, leaf)
    b.put(21, 0, real(1, V | R))

    def cleared(first: int, last: int, mask: int, value: int) -> list[int]:
        _, changed = b.changes(lambda: shadow._clear(b.ram, 20, first, last, mask, value))
        assert set(changed.values()) <= {0}
        assert all(name == "ram" and i >> 10 == 20 for name, i in changed)
        for i, leaf in leaves.items():
            b.put(20, i, leaf)
        return sorted(i & 1023 for _, i in changed)

    assert cleared(0, 1023, 0, 0) == [0, 1, 2, 4, 5, 1023]
    assert cleared(0, 1023, GLOBAL, 0) == [0, 2, 4, 1023]
    assert cleared(0, 1023, PIECE, PIECE) == [4, 5]
    assert cleared(0, 1023, GLOBAL | PIECE, PIECE) == [4]
    assert cleared(1, 2, 0, 0) == [1, 2]
    assert cleared(2, 2, 0, 0) == [2]
