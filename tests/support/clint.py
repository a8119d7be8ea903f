"""A CLINT for the slow reference hart, from the SiFive core-local interruptor
manual: msip at 0x0, mtimecmp at 0x4000, mtime at 0xbff8 of its window.

Aligned 32-bit accesses only.  Below 0xc000 what is no register of hart 0 reads
as zero; from there on everything is an access fault.
"""

from __future__ import annotations

from typing import Any

CLINT_BASE = 0x0200_0000
MASK32 = 0xFFFF_FFFF
END = 0xC000


class NaiveClint:
    """The ``mmio`` of a NaiveHart that has a CLINT and nothing else."""

    def __init__(self, base: int = CLINT_BASE) -> None:
        self.base = base
        self.hart: Any = None

    def attach(self, hart: Any) -> None:
        """Called by the hart that owns this device."""
        self.hart = hart

    def read(self, pa: int, width: int) -> int | None:
        """Value of a register, or None for an access fault."""
        offset, hart = pa - self.base, self.hart
        if width != 4 or not 0 <= offset < END:
            return None
        if offset == 0:
            return hart.lines >> 3 & 1
        if offset in (0x4000, 0x4004):
            return hart.mtimecmp >> 8 * (offset & 4) & MASK32
        if offset in (0xBFF8, 0xBFFC):
            return hart.mtime >> 8 * (offset & 4) & MASK32
        return 0

    def write(self, pa: int, width: int, value: int) -> bool:
        """False for an access fault."""
        offset, hart = pa - self.base, self.hart
        if width != 4 or not 0 <= offset < END:
            return False
        shift = 8 * (offset & 4)
        kept = MASK32 << (32 - shift)
        if offset == 0:
            hart.set_line(3, bool(value & 1))
        elif offset in (0x4000, 0x4004):
            hart.mtimecmp = hart.mtimecmp & kept | value << shift
        elif offset in (0xBFF8, 0xBFFC):
            hart.set_mtime(hart.mtime & kept | value << shift)
        return True
