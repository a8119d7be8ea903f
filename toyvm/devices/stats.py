"""Counters that every device keeps for reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Stats:
    """What a device did since the machine was built.  A reset by the guest does not clear it.

    "In" is toward the guest and "out" is from the guest, as the guest sees its own device.
    """

    kicks: int = 0
    """Queue notifications by the driver."""
    requests: int = 0
    """Descriptor chains that were completed."""
    sectors_read: int = 0
    sectors_written: int = 0
    flushes: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    drops: int = 0
    """Frames thrown away: malformed, too long, no room, link down."""
    errors: int = 0
    """Requests that ended with an error status, refused settings and broken rings."""

    def as_dict(self) -> dict[str, int]:
        """The counters by name, for JSON reports."""
        return asdict(self)
