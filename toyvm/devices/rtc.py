"""Goldfish real-time clock: nanoseconds since 1970, an alarm and its interrupt.

Only aligned 32-bit accesses exist; others, and offsets behind the registers, fault, as on QEMU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from toyvm.devices.irq import IrqLine, unwired
from toyvm.platform import RTC_SIZE

TIME_LOW: Final = 0x00
"""Low half of the time; reading it latches the high half."""
TIME_HIGH: Final = 0x04
ALARM_LOW: Final = 0x08
"""Writing it arms the alarm, so the high half is written first."""
ALARM_HIGH: Final = 0x0C
IRQ_ENABLED: Final = 0x10
CLEAR_ALARM: Final = 0x14
ALARM_STATUS: Final = 0x18
"""1 while an alarm is armed."""
CLEAR_INTERRUPT: Final = 0x1C
REGISTERS_END: Final = 0x24

_MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF
_MASK32: Final = 0xFFFF_FFFF


class Rtc:
    """A clock that follows ``now_ns()`` (nanoseconds since 1970), so it is as deterministic as its
    owner makes that function.  A guest may set it; only this device's own time changes then.

    The alarm is looked at on every access and by :meth:`poll`, which the owner calls between
    slices if it wires ``irq``.
    """

    size = RTC_SIZE

    def __init__(self, now_ns: Callable[[], int], irq: IrqLine = unwired) -> None:
        self._now_ns = now_ns
        self._irq = irq
        self._clear()

    def _clear(self) -> None:
        self._offset = 0
        self._latched_high = 0
        self._alarm = 0
        self.armed = False
        """True while an alarm is set that has not fired."""
        self._due = 0
        self._pending = False
        self._enabled = False

    def reset(self) -> None:
        self._clear()
        self._irq(False)

    @property
    def time(self) -> int:
        """Nanoseconds since 1970 as the guest sees them: 64 bits, wrapping."""
        return (self._now_ns() + self._offset) & _MASK64

    @property
    def alarm_in(self) -> int | None:
        """Nanoseconds until an armed alarm, 0 if its time has come; None if none is armed."""
        return max(0, self._due - self._now_ns()) if self.armed else None

    def poll(self) -> None:
        """Fire an alarm whose time has come."""
        if self.armed and self._due <= self._now_ns():
            self.armed = False
            self._pending = True
            self._drive()

    def _drive(self) -> None:
        self._irq(self._pending and self._enabled)

    def read(self, offset: int, width: int) -> int | None:
        if not _legal(offset, width):
            return None
        self.poll()
        if offset == TIME_LOW:
            time = self.time
            self._latched_high = time >> 32
            return time & _MASK32
        if offset == TIME_HIGH:
            return self._latched_high
        if offset == ALARM_LOW:
            return self._alarm & _MASK32
        if offset == ALARM_HIGH:
            return self._alarm >> 32
        if offset == IRQ_ENABLED:
            return int(self._enabled)
        if offset == ALARM_STATUS:
            return int(self.armed)
        return 0

    def write(self, offset: int, width: int, value: int) -> bool:
        if not _legal(offset, width):
            return False
        value &= _MASK32
        now = self.time
        if offset == TIME_LOW:
            self._offset += (now & ~_MASK32 | value) - now
        elif offset == TIME_HIGH:
            self._offset += (value << 32 | now & _MASK32) - now
        elif offset == ALARM_LOW:
            self._alarm = self._alarm & ~_MASK32 | value
            self.armed = True
            # As on QEMU the distance counts from here: setting the clock does not change it.
            self._due = self._now_ns() + self._alarm - self.time
        elif offset == ALARM_HIGH:
            self._alarm = self._alarm & _MASK32 | value << 32
        elif offset == IRQ_ENABLED:
            self._enabled = bool(value & 1)
            self._drive()
        elif offset == CLEAR_ALARM:
            self.armed = False
        elif offset == CLEAR_INTERRUPT:
            self._pending = False
            self._drive()
        self.poll()
        return True


def _legal(offset: int, width: int) -> bool:
    return width == 4 and not offset & 3 and 0 <= offset < REGISTERS_END
