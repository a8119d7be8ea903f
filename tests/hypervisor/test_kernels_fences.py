"""Each kernel that forgets by itself: sfence.vma, and stores to protected tables.

Every call says all that it may change.  sfence.vma: Privileged 20211203 §4.2.1.
"""

from __future__ import annotations

import numpy as np

from tests.hypervisor.kernel_bench import (
    GLOBAL,
    PIECE,
    RAM,
    RAM_PAGE,
    A,
    Bench,
    D,
    R,
    U,
    V,
    W,
    X,
    real,
    rooted,
)
from toyvm.hart import state as s
from toyvm.hart import tlb
from toyvm.hypervisor import shadow

LEAF = V | R | W | X | A | D | U


# ---- sfence.vma ----------------------------------------------------------------------------------

AT = 7 << 22 | 9 << 12 | 0x123
HERE = 21 * 1024 + 7
CONTEXT_OF_3 = ("h", s.CONTEXT_TAGS + 1)


def fenced(pointer: int, mask: int = 0, leaf: int = 0) -> dict[tuple[str, int], int]:
    """What a fence of AT in root 3 changes; its second level is frame 23."""
    b = rooted((23, 4, 3 << 11 | 8))
    b.put(21, 7, pointer)
    for i in (6, 8):
        b.put(21, i, real(0, V | R))
    for i in (0, 8, 9, 10, 1023):
        b.put(23, i, leaf)
    b.put(24, 0, real(1, V | R | PIECE))  # behind that table
    _, changed = b.changes(lambda: shadow._fence_address(b.h, b.c, 3, AT, mask))
    return changed


def test_a_fence_of_an_address_without_an_entry() -> None:
    assert fenced(0) == {}
    assert fenced(real(23, R), leaf=real(1, V | R)) == {}


def test_a_fence_of_an_address_in_a_megapage() -> None:
    for bits in (R, R | W, X):
        assert fenced(real(0, V | bits)) == {("ram", HERE): 0, CONTEXT_OF_3: 0}
        assert fenced(real(0, V | bits), GLOBAL) == {("ram", HERE): 0, CONTEXT_OF_3: 0}
    # A global one stays; that the real TLB forgets is allowed.
    assert fenced(real(0, V | R | GLOBAL), GLOBAL) == {CONTEXT_OF_3: 0}
    assert fenced(real(0, V | R | GLOBAL)) == {("ram", HERE): 0, CONTEXT_OF_3: 0}


def test_a_fence_of_an_address_in_a_table() -> None:
    there = 23 * 1024
    for bits in (R, R | W, X):
        assert fenced(real(23, V), leaf=real(1, V | bits)) == {("ram", there + 9): 0}
    assert fenced(real(23, V), GLOBAL, real(1, V | R)) == {("ram", there + 9): 0}
    assert fenced(real(23, V), GLOBAL, real(1, V | R | GLOBAL)) == {}
    assert fenced(real(23, V), 0, real(1, V | R | GLOBAL)) == {("ram", there + 9): 0}


def test_a_fence_of_an_address_in_a_megapage_in_pieces() -> None:
    there = 23 * 1024
    all_of_it = {("ram", there + i): 0 for i in (0, 8, 9, 10, 1023)}
    pointer = real(23, V | PIECE)
    assert fenced(pointer, 0, real(1, V | R | PIECE)) == all_of_it | {CONTEXT_OF_3: 0}
    assert fenced(pointer, GLOBAL, real(1, V | R | PIECE)) == all_of_it | {CONTEXT_OF_3: 0}
    assert fenced(pointer, GLOBAL, real(1, V | R | PIECE | GLOBAL)) == {CONTEXT_OF_3: 0}
    # Pages that are no pieces any more: the one that is named.
    assert fenced(pointer, 0, real(1, V | R)) == {("ram", there + 9): 0, CONTEXT_OF_3: 0}


def three_roots(protect: int = 0) -> Bench:
    """Each root with a table for AT, leaves at 8 and 9 (plain) and at 10 (global)."""
    rows = ((23, 4, 8), (24, 5, 3 << 11 | 8), (25, 6, 31 << 11 | 8))
    b = rooted(*rows, protect=protect)
    for root, below in ((20, 23), (21, 24), (22, 25)):
        b.put(root, 7, real(below, V))
        for i in (0, 8, 9):
            b.put(below, i, real(1, LEAF))
        b.put(below, 10, real(1, LEAF | GLOBAL))
        b.put(below, 1023, real(1, LEAF | GLOBAL))
        b.put(root, 0, real(0, LEAF))
        b.put(root, 1023, real(0, LEAF))
    b.fill_tlb()
    return b


def fence(b: Bench, va: int, asid: int) -> dict[tuple[str, int], int]:
    _, changed = b.changes(lambda: shadow.fence(b.h, b.g, b.c, va, asid))
    return {key: value for key, value in changed.items() if key[0] != "tlb"}


def test_protected_tables_need_no_fence() -> None:
    b = three_roots(protect=1)
    assert fence(b, -1, -1) == {}
    assert fence(b, AT, 5) == {}
    assert b.flushed() == []


def test_a_fence_of_an_address_in_all_address_spaces() -> None:
    b = three_roots()
    assert fence(b, AT, -1) == {("ram", f * 1024 + 9): 0 for f in (23, 24, 25)}
    assert b.flushed() == [(AT >> 12) & 255]
    b = three_roots()
    assert fence(b, AT + 0x1000, -1) == {("ram", f * 1024 + 10): 0 for f in (23, 24, 25)}
    # Address 0 is an address.
    b = three_roots()
    forgotten = {("h", s.CONTEXT_TAGS + i): 0 for i in range(3)}
    assert fence(b, 0, -1) == {("ram", f * 1024): 0 for f in (20, 21, 22)} | forgotten
    assert b.flushed() == [0]


def test_a_fence_of_an_address_in_one_address_space() -> None:
    for asid, frame in ((4, 23), (5, 24), (6, 25)):
        b = three_roots()
        assert fence(b, AT, asid) == {("ram", frame * 1024 + 9): 0}
        assert b.flushed() == [(AT >> 12) & 255]
        b = three_roots()
        assert fence(b, AT + 0x1000, asid) == {}, "global"
    for asid in (0, 7, 0x104):
        assert fence(three_roots(), AT, asid) == {}


def test_a_fence_of_address_space_0() -> None:
    b = three_roots()
    b.c[shadow.TAGS + 3] &= ~(0x1FF << 28)
    assert fence(b, AT + 0x1000, 0) == {}, "global"
    assert fence(b, AT, 0) == {("ram", 24 * 1024 + 9): 0}
    assert fence(b, -1, 0).keys() >= {("ram", 24 * 1024 + 8)}
    assert b.word(24, 10)


def test_a_fence_of_everything_drops_every_root() -> None:
    b = three_roots()
    before = b.free()
    fence(b, -1, -1)
    assert b.listed() == []
    assert b.free() == [*before, 20, 23, 21, 24, 22, 25]
    assert b.known() == [3]
    assert b.flushed() == []


def test_a_fence_leaves_roots_that_translate_nothing() -> None:
    for va in (AT, -1):
        b = three_roots()
        b.c[shadow.TAGS + 3] &= ~tlb.TRANSLATED
        fence(b, va, -1)
        assert b.word(24, 9)
        assert b.c[shadow.TAGS + 3]
        assert 1 in b.known()
        assert (24, 5, 3 << 11 | 8) in b.listed()


def test_a_fence_of_an_address_space_keeps_what_is_global() -> None:
    b = three_roots()
    places = [21 * 1024, 21 * 1024 + 1023, *(24 * 1024 + i for i in (0, 8, 9))]
    assert fence(b, -1, 5) == {("ram", i): 0 for i in places} | {CONTEXT_OF_3: 0}
    assert b.flushed() == []


# ---- protected tables ----------------------------------------------------------------------------


def test_what_is_a_table() -> None:
    b = rooted((23, 4, 3 << 11 | 7), (24, -1, 3 << 11 | 9))
    b.c[shadow.NODE_GUEST + 5] = RAM_PAGE + 9  # behind the last one
    found = [page for page in range(-3, 12) if shadow._is_table(b.c, RAM_PAGE + page)]
    assert found == [1, 2, 3, 4]


def test_writes_to_a_table_are_withdrawn_everywhere() -> None:
    b = rooted((23, 4, 3 << 11 | 7))
    writes = {(20, 0): LEAF, (23, 5): V | R | W, (23, 1023): LEAF | GLOBAL}
    for (frame, i), bits in writes.items():
        b.put(frame, i, real(9, bits))
    for i, leaf in enumerate((real(8, LEAF), real(10, LEAF), real(9, V | R | X | A | D), 0)):
        b.put(22, i, leaf)
    b.put(24, 0, real(9, LEAF))  # no shadow table
    # What the TLB has for writing: va 0x5000 leads to frame 9, va 0x6000 to frame 10.
    for page, frame in ((5, 9), (6, 10)):
        for at in (tlb.WRITE, tlb.READ):
            tlb.put_data(b.tlb, at + 4 * tlb.CONTEXT, page << 12, frame << 12)
    _, changed = b.changes(lambda: shadow._withdraw_writes(b.h, b.c, 9))
    expected = {("ram", f * 1024 + i): real(9, bits & ~W) for (f, i), bits in writes.items()}
    assert changed == expected | {("tlb", 4 * tlb.CONTEXT + tlb.WRITE + 5): tlb.EMPTY}


def synced(pa: int, b: Bench | None = None) -> tuple[Bench, dict[tuple[str, int], int]]:
    """Root 3 was made from guest page 2; its table in frame 23 from page 4."""
    b = b or rooted((23, 4, 3 << 11 | 8), protect=1)
    b.put(21, 7, real(23, V))
    b.put(21, 9, real(0, LEAF))
    b.put(23, 7, real(1, LEAF))
    b.put(23, 1023, real(1, LEAF))
    b.fill_tlb()
    _, changed = b.changes(lambda: shadow.sync(b.h, b.c, pa))
    return b, {key: value for key, value in changed.items() if key[0] != "tlb"}


def test_a_store_elsewhere_changes_nothing() -> None:
    for pa in (-1, 0, RAM, RAM + 0x5010, RAM + 0x1_0000_4010):
        b, changed = synced(pa)
        assert changed == {}
        assert b.flushed() == []


def test_a_store_to_a_leaf_forgets_it() -> None:
    for byte in range(4):
        b, changed = synced(RAM + 0x4000 + 4 * 7 + byte)
        assert changed == {("ram", 23 * 1024 + 7): 0}
        assert b.flushed() == [7]
    b, changed = synced(RAM + 0x4FFF)
    assert changed == {("ram", 23 * 1024 + 1023): 0}
    assert b.flushed() == [255]


def test_a_store_to_a_leaf_flushes_its_own_address() -> None:
    """Bits 19:12 of the address choose the set of the real TLB."""
    b, _ = synced(RAM + 0x4000 + 4 * 0x1AB)
    assert b.flushed() == [0xAB]


def test_a_store_to_a_root_forgets_a_megapage() -> None:
    _b, changed = synced(RAM + 0x2000 + 4 * 9)
    assert changed == {("ram", 21 * 1024 + 9): 0, CONTEXT_OF_3: 0}


def test_a_store_to_the_first_root_is_followed() -> None:
    b = rooted(protect=1)
    b.put(20, 9, real(0, LEAF))
    b, changed = synced(RAM + 0x1000 + 4 * 9, b)
    assert changed == {("ram", 20 * 1024 + 9): 0, ("h", s.CONTEXT_TAGS): 0}


def test_a_store_to_a_root_gives_a_table_back() -> None:
    b, changed = synced(RAM + 0x2000 + 4 * 7)
    assert changed["ram", HERE] == 0
    assert b.listed() == [(20, 1, 0), (21, 2, 3 << 11), (22, 3, 31 << 11)]
    assert b.free()[-1] == 23
    assert b.known() == [0, 2, 3]


def test_a_table_with_many_shadows_is_followed_in_all() -> None:
    """One page is a root's table, and the second level at two places."""
    b = rooted((23, 2, 3 << 11 | 8), (24, 2, 31 << 11 | 9), protect=1)
    b.put(24, 7, real(2, LEAF))
    b, changed = synced(RAM + 0x2000 + 4 * 7, b)
    assert b.word(21, 7) == 0
    assert b.word(24, 7) == 0
    assert b.listed() == [(20, 1, 0), (21, 2, 3 << 11), (22, 3, 31 << 11), (24, 2, 31 << 11 | 9)]
    b = rooted((23, 4, 3 << 11 | 8), (24, 4, 31 << 11 | 9), protect=1)
    b.put(24, 7, real(2, LEAF))
    b, changed = synced(RAM + 0x4000 + 4 * 7, b)
    assert changed == {("ram", 23 * 1024 + 7): 0, ("ram", 24 * 1024 + 7): 0}


def test_a_row_behind_the_last_one_is_no_table() -> None:
    b = rooted((23, 4, 3 << 11 | 8), (24, 9, 31 << 11 | 8), protect=1)
    b.c[shadow.NODES] -= 1
    b.put(24, 7, real(1, LEAF))
    b, changed = synced(RAM + 0x9000 + 4 * 7, b)
    assert changed == {}


def test_many_stores_are_followed_one_by_one() -> None:
    b = rooted((23, 4, 3 << 11 | 8), protect=1)
    for i in range(4):
        b.put(23, i, real(1, LEAF))
    places = np.array([RAM + 0x4000, -1, RAM + 0x4008, RAM + 0x5004], dtype=np.int64)
    _, changed = b.changes(lambda: shadow.sync_all(b.h, b.c, places))
    words = {key for key in changed if key[0] == "ram"}
    assert words == {("ram", 23 * 1024), ("ram", 23 * 1024 + 2)}
