"""A vCPU without a VM: two small Cores, a control array, and what a kernel changes in them.

For tests that call one kernel of the hypervisor by itself (test_kernels_*.py).  That takes kernels
that are plain Python: compiled, each would have to be compiled once more to be called from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toyvm.hart import access, ops, tlb
from toyvm.hart import state as s
from toyvm.hart.core import DECODE_SLOTS, new_record
from toyvm.hypervisor import shadow

V, R, W, X, U, G, A, D = (1 << i for i in range(8))
GLOBAL, PIECE = 1 << 8, 1 << 9
"""The marks in a shadow entry (RSW): the guest's entry is global; a part of a megapage."""
RAM_PAGE = 0x8_0000
RAM = RAM_PAGE << 12
SV32 = 1 << 31

Changes = dict[tuple[str, int], int]


ALL = V | R | W | X | A | D
CSRR = 0xF140_2573  # csrr a0, mhartid
SFENCE, WFI, MRET, SRET = 0x1200_0073, 0x1050_0073, 0x3020_0073, 0x1020_0073
ECALL, EBREAK = 0x0000_0073, 0x0010_0073


def real(frame: int, bits: int) -> int:
    """An entry of a shadow table: it names a frame of the host's RAM."""
    return (RAM_PAGE + frame) << 10 | bits


def own(page: int, bits: int) -> int:
    """An entry of a guest's table: it names a page, counted from the start of its RAM."""
    return (RAM_PAGE + page) << 10 | bits


class Bench:
    """A vCPU of 64 pages on a host of 64 frames; frames 40 to 63 are its reserve.

    Guest page n has frame n + 8 if it is one of `touched`.
    """

    def __init__(
        self,
        technique: int = shadow.TECHNIQUE_U,
        protect: int = 0,
        touched: Any = range(8),
        pages: int = 64,
        pmp: int = 0,
    ) -> None:
        self.ram = np.zeros(64 << 12, dtype=np.uint8)
        self.fmap = np.full(pages, -1, dtype=np.int32)
        for page in touched:
            self.fmap[page] = page + 8
        self.x = np.zeros(256, dtype=np.uint32)
        self.hp, self.v = new_record(0, 0), new_record(0, pmp)
        self.hp[s.MODE], self.hp[s.DELIVER] = s.MODE_U, 0
        self.tlb = np.full(tlb.ENTRIES, tlb.EMPTY, dtype=np.int64)
        dec = np.zeros(DECODE_SLOTS * ops.SLOT_ENTRIES + ops.REGION_TABLE, dtype=np.int64)
        slots = np.zeros(64, dtype=np.int32)
        identity = np.arange(64, dtype=np.int32)
        self.h = access.make_core(self.x, self.hp, self.tlb, dec, slots, self.ram, identity)
        none = np.full(tlb.CONTEXT, tlb.EMPTY, dtype=np.int64)
        self.g = access.make_core(self.x, self.v, none, dec, slots, self.ram, self.fmap)
        self.c = np.zeros(shadow.FIELDS, dtype=np.int64)
        self.c[shadow.TECHNIQUE], self.c[shadow.PROTECT] = technique, protect
        self.c[shadow.FREE] = 24
        self.c[shadow.STACK : shadow.STACK + 24] = range(63, 39, -1)

    @property
    def words(self) -> Any:
        return self.ram.view("<u4")

    def word(self, frame: int, index: int = 0) -> int:
        """A word of a frame."""
        return int(self.words[frame * 1024 + index])

    def put(self, frame: int, index: int, value: int) -> None:
        self.words[frame * 1024 + index] = value

    def nodes(self, *rows: tuple[int, int, int]) -> None:
        """Shadow tables in use: (frame, guest page from the start of RAM or -1, key)."""
        self.c[shadow.NODES] = len(rows)
        for i, (frame, guest, key) in enumerate(rows):
            self.c[shadow.NODE_FRAME + i] = frame
            self.c[shadow.NODE_GUEST + i] = guest if guest < 0 else RAM_PAGE + guest
            self.c[shadow.NODE_KEY + i] = key

    def listed(self) -> list[tuple[int, int, int]]:
        """The rows of `nodes`."""
        rows = []
        for i in range(int(self.c[shadow.NODES])):
            frame, guest, key = (
                int(self.c[base + i])
                for base in (shadow.NODE_FRAME, shadow.NODE_GUEST, shadow.NODE_KEY)
            )
            rows.append((frame, guest if guest < 0 else guest - RAM_PAGE, key))
        return rows

    def free(self) -> list[int]:
        """The reserve."""
        return [int(n) for n in self.c[shadow.STACK : shadow.STACK + self.c[shadow.FREE]]]

    def know(self, *roots: int) -> None:
        """The real TLB has a context for each of these roots, in this order from the first."""
        self.hp[s.CONTEXT_TAGS : s.CONTEXT_TAGS + tlb.CONTEXTS] = 0
        for i, root in enumerate(roots):
            self.hp[s.CONTEXT_TAGS + i] = context(root)

    def known(self) -> list[int]:
        """Which contexts of the real TLB are still there."""
        return [i for i in range(tlb.CONTEXTS) if self.hp[s.CONTEXT_TAGS + i]]

    def fill_tlb(self) -> None:
        """Every entry of the real TLB holds something: 0, a page no test asks for."""
        self.tlb[:] = 0

    def flushed(self) -> list[int]:
        """The sets of the real TLB that are empty in all contexts and all three kinds."""
        rows = (self.tlb == tlb.EMPTY).reshape(-1, tlb.SETS)
        assert (rows == rows[0]).all()
        return [int(n) for n in np.flatnonzero(rows[0])]

    def _arrays(self) -> dict[str, Any]:
        arrays = {"c": self.c, "h": self.hp, "v": self.v, "x": self.x}
        return arrays | {"ram": self.words, "fmap": self.fmap, "tlb": self.tlb}

    def changes(self, call: Callable[[], Any]) -> tuple[Any, Changes]:
        """What a call returns, and every element that it has changed, with its new value.

        The words of RAM are numbered; those of frame n start at 1024 n.
        """
        before = {name: array.copy() for name, array in self._arrays().items()}
        result = call()
        out: Changes = {}
        for name, array in self._arrays().items():
            for i in np.flatnonzero(array != before[name]):
                out[name, int(i)] = int(array[i])
        return result, out


def context(root: int) -> int:
    """The tag under which the real TLB knows a root in user mode: its ASID is root + 1."""
    return 1 | tlb.TRANSLATED | (root + 1) << 28 | 0x8_0030 << 6


def rooted(*extra: tuple[int, int, int], protect: int = 0) -> Bench:
    """Roots 0, 3 and 31 in frames 20 to 22 with tags of their own and more tables."""
    b = Bench(protect=protect)
    tables = ((20, 1, 0), (21, 2, 3 << 11), (22, 3, 31 << 11))
    b.nodes(*tables, *extra)
    for (frame, _, key), asid in zip(tables, (4, 5, 6), strict=True):
        root = key >> 11
        b.c[shadow.TAGS + root] = 1 | tlb.TRANSLATED | asid << 28 | frame << 6
        b.c[shadow.TABLES + root] = frame
    b.know(0, 3, 31, 9)
    return b


def in_mode(
    b: Bench, mode: int, satp: int = SV32 | 5 << 22 | RAM_PAGE + 1, status: int = 0
) -> None:
    b.v[s.MODE], b.v[s.SATP], b.v[s.MSTATUS] = mode, satp, status
