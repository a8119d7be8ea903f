"""The bus: from a physical address to a device and an offset."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from toyvm.devices.device import WIDTHS, Device


@dataclass(frozen=True, slots=True)
class Window:
    """One device at its place on the bus; addresses are physical."""

    base: int
    device: Device
    name: str

    @property
    def end(self) -> int:
        """First address behind the window."""
        return self.base + self.device.size


class Bus:
    """Devices by physical address.  RAM is not on the bus: the hart knows it by itself."""

    def __init__(self) -> None:
        self._windows: list[Window] = []
        self._bases: list[int] = []

    @property
    def windows(self) -> tuple[Window, ...]:
        """All windows, lowest address first."""
        return tuple(self._windows)

    def attach(self, base: int, device: Device, name: str) -> None:
        """Put ``device`` at physical address ``base``.

        Raises ValueError if the window would overlap another one: two devices at one address are
        a mistake in the board, not something a guest can cause.
        """
        window = Window(base, device, name)
        for other in self._windows:
            if window.base < other.end and other.base < window.end:
                raise ValueError(
                    f"{name} at {base:#x}..{window.end - 1:#x} overlaps {other.name} at "
                    f"{other.base:#x}..{other.end - 1:#x}: give each device its own window"
                )
        at = bisect_right(self._bases, base)
        self._windows.insert(at, window)
        self._bases.insert(at, base)

    def find(self, pa: int) -> tuple[Device, int] | None:
        """The device whose window holds ``pa``, with the offset in it; None in a hole."""
        at = bisect_right(self._bases, pa) - 1
        if at < 0:
            return None
        window = self._windows[at]
        offset = pa - window.base
        if offset >= window.device.size:
            return None
        return window.device, offset

    def read(self, pa: int, width: int) -> int | None:
        """Read ``width`` bytes at ``pa``; None (an access fault) in a hole, for a width that is
        not 1, 2, 4 or 8, for a misaligned address, or where the device refuses."""
        found = self.find(pa)
        if found is None or width not in WIDTHS or pa & (width - 1):
            return None
        device, offset = found
        return device.read(offset, width)

    def write(self, pa: int, width: int, value: int) -> bool:
        """Write the low ``width`` bytes of ``value`` at ``pa``; False is an access fault, for the
        same reasons as in :meth:`read`."""
        found = self.find(pa)
        if found is None or width not in WIDTHS or pa & (width - 1):
            return False
        device, offset = found
        return device.write(offset, width, value)

    def reset(self) -> None:
        """Reset every device, lowest address first."""
        for window in self._windows:
            window.device.reset()
