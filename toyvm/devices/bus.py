"""The bus: from a physical address to a device and an offset."""

from __future__ import annotations

from bisect import bisect_right

from toyvm.devices.device import WIDTHS, Device


class Window:
    """One device at its place on the bus; addresses are physical."""

    __slots__ = ("base", "device", "end", "name")

    def __init__(self, base: int, device: Device, name: str) -> None:
        self.base = base
        self.device = device
        self.name = name
        self.end = base + device.size
        """First address behind the window."""


class Bus:
    """Devices by physical address.  RAM is not on the bus: the hart knows it by itself."""

    def __init__(self) -> None:
        self._windows: list[Window] = []
        self._bases: list[int] = []
        self._last: Window | None = None

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

    def _window(self, pa: int) -> Window | None:
        """The window that holds ``pa``; None in a hole."""
        at = bisect_right(self._bases, pa) - 1
        if at < 0 or pa >= self._windows[at].end:
            return None
        # A driver comes back to the same device most of the time.
        self._last = self._windows[at]
        return self._last

    def find(self, pa: int) -> tuple[Device, int] | None:
        """The device whose window holds ``pa``, with the offset in it; None in a hole."""
        window = self._window(pa)
        return None if window is None else (window.device, pa - window.base)

    def read(self, pa: int, width: int) -> int | None:
        """Read ``width`` bytes at ``pa``; None (an access fault) in a hole, for a width that is
        not 1, 2, 4 or 8, for a misaligned address, or where the device refuses."""
        window = self._last
        if window is None or not window.base <= pa < window.end:
            window = self._window(pa)
        if window is None or width not in WIDTHS or pa & (width - 1):
            return None
        return window.device.read(pa - window.base, width)

    def write(self, pa: int, width: int, value: int) -> bool:
        """Write the low ``width`` bytes of ``value`` at ``pa``; False is an access fault, for the
        same reasons as in :meth:`read`."""
        window = self._last
        if window is None or not window.base <= pa < window.end:
            window = self._window(pa)
        if window is None or width not in WIDTHS or pa & (width - 1):
            return False
        return window.device.write(pa - window.base, width, value)

    def reset(self) -> None:
        """Reset every device, lowest address first."""
        for window in self._windows:
            window.device.reset()
