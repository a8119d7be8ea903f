"""The one interface of everything that a network card can be plugged into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class NetBackend(Protocol):
    """The far end of a virtual cable: a switch port or a remote peer.

    Frames are Ethernet frames without checksum.
    """

    on_frame: Callable[[bytes], None] | None
    """Called with each frame for the card, only from :meth:`poll` (or the switch's deliver)."""

    def send(self, frame: bytes) -> None:
        """Take a frame from the card.  Never blocks; what cannot be taken is dropped, counted."""

    def poll(self) -> int:
        """Hand waiting frames to ``on_frame``; returns how many.  Never blocks."""

    def close(self) -> None:
        """Pull the cable; later frames are dropped."""
