"""The one interface of everything that sits on a bus."""

from __future__ import annotations

from typing import Final, Protocol

WIDTHS: Final = (1, 2, 4, 8)
"""Access widths in bytes.  An RV32 hart makes only the first three."""


class Device(Protocol):
    """A model of a device: it sees offsets, widths and bytes, and never a hart.

    Both accessors must return for *every* offset, width and value; neither may raise, because the
    guest chooses all three.
    """

    size: int
    """Length of the device's window in bytes."""

    def read(self, offset: int, width: int) -> int | None:
        """Value at ``offset``, unsigned, ``width`` bytes wide; None is an access fault."""

    def write(self, offset: int, width: int, value: int) -> bool:
        """Store the low ``width`` bytes of ``value``; False is an access fault."""

    def reset(self) -> None:
        """Back to the power-on state, interrupt lines low."""
