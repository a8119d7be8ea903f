"""CLINT: software interrupts and the machine timer (SiFive's layout, as on QEMU's ``virt``).

Only aligned 32-bit accesses exist (and 64-bit ones to the 64-bit registers, which RV32 harts do
not make); others fault.  Offsets without a register read as zero and ignore writes, from 0xc000 up
they fault, as on QEMU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from toyvm.platform import CLINT_SIZE

MSIP: Final = 0x0000
"""Software interrupt of hart h at 4 * h: bit 0."""
MTIMECMP: Final = 0x4000
"""Deadline of hart h at 8 * h: 64 bits, low half first."""
MTIME: Final = 0xBFF8
"""Time in ticks: 64 bits, low half first."""
REGISTERS_END: Final = 0xC000

NEVER: Final = 0xFFFF_FFFF_FFFF_FFFF
"""The deadline after reset: the timer line is low until a guest sets one."""
_LOW: Final = 0xFFFF_FFFF
_HIGH: Final = 0xFFFF_FFFF_0000_0000


class Clint:
    """The core-local interruptor of ``harts`` harts.

    ``now()`` gives mtime in ticks.  ``set_timecmp(hart, deadline)`` and ``set_msip(hart, level)``
    publish what the guest wrote; whoever owns the clock compares it with the deadlines.
    ``set_time(ticks)`` takes writes to mtime; without it they are ignored.  The constructor
    publishes nothing: :meth:`reset` does.
    """

    size = CLINT_SIZE

    def __init__(
        self,
        now: Callable[[], int],
        set_timecmp: Callable[[int, int], None],
        set_msip: Callable[[int, bool], None],
        harts: int = 1,
        set_time: Callable[[int], None] | None = None,
    ) -> None:
        self._now = now
        self._set_timecmp = set_timecmp
        self._set_msip = set_msip
        self._set_time = set_time
        self._harts = harts
        self.timecmp = [NEVER] * harts
        """Deadline of each hart in ticks."""
        self.msip = [False] * harts
        """Software interrupt of each hart."""

    def reset(self) -> None:
        for hart in range(self._harts):
            self.timecmp[hart] = NEVER
            self.msip[hart] = False
            self._set_timecmp(hart, NEVER)
            self._set_msip(hart, False)

    def read(self, offset: int, width: int) -> int | None:
        if not _legal(offset, width):
            return None
        if offset < MTIMECMP:
            hart = offset // 4
            return int(self.msip[hart]) if hart < self._harts else 0
        register = self._wide(offset & ~7)
        if width == 8:
            return register
        return register >> 32 if offset & 4 else register & _LOW

    def write(self, offset: int, width: int, value: int) -> bool:
        if not _legal(offset, width):
            return False
        hart = (offset - MTIMECMP) // 8
        if width == 4 and 0 <= hart < self._harts:
            # What every timer of an RV32 guest does, twice.
            old = self.timecmp[hart]
            value &= _LOW
            merged = old & _LOW | value << 32 if offset & 4 else old & _HIGH | value
            self.timecmp[hart] = merged
            self._set_timecmp(hart, merged)
            return True
        if offset < MTIMECMP:
            hart = offset // 4
            if hart < self._harts:
                self.msip[hart] = bool(value & 1)
                self._set_msip(hart, self.msip[hart])
            return True
        at = offset & ~7
        if width == 8:
            merged = value & NEVER
        elif offset & 4:
            merged = self._wide(at) & _LOW | (value & _LOW) << 32
        else:
            merged = self._wide(at) & _HIGH | value & _LOW
        hart = (at - MTIMECMP) // 8
        if at == MTIME:
            if self._set_time is not None:
                self._set_time(merged)
        elif hart < self._harts:
            self.timecmp[hart] = merged
            self._set_timecmp(hart, merged)
        return True

    def _wide(self, at: int) -> int:
        """The 64-bit register at offset ``at``; zero where there is none."""
        if at == MTIME:
            return self._now() & NEVER
        hart = (at - MTIMECMP) // 8
        return self.timecmp[hart] if hart < self._harts else 0


def _legal(offset: int, width: int) -> bool:
    if not 0 <= offset < REGISTERS_END:
        return False
    if width == 4:
        return not offset & 3
    # The software interrupts are 32-bit registers side by side, so 64-bit accesses start behind.
    return width == 8 and offset >= MTIMECMP and not offset & 7
