"""What a device may touch: memory behind a bounds check."""

from __future__ import annotations

from typing import Protocol


class DmaMemory(Protocol):
    """The memory that a device reaches by address: the machine's RAM, or one VM's (gpa).

    An implementation must accept every address and length, negative ones and those beyond 2**64
    included, and must never touch a byte outside the memory that it stands for.
    """

    def read(self, pa: int, n: int) -> bytes | None:
        """Return the ``n`` bytes at ``pa``; None if any of them is outside RAM."""

    def write(self, pa: int, data: bytes) -> bool:
        """Store ``data`` at ``pa``; False, with nothing written, if any byte is outside RAM."""
