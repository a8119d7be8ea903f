"""Counting what passes on a cable, from outside of the guests."""

from __future__ import annotations

from dataclasses import asdict, dataclass

_ETHERTYPE_IP, _ETHERTYPE_ARP = 0x0800, 0x0806
_PROTOCOL_ICMP = 1
_ECHO_REPLY, _ECHO_REQUEST = 0, 8


@dataclass
class WireCount:
    """Frames that a card sent, by kind."""

    frames: int = 0
    arp: int = 0
    echo_requests: int = 0
    echo_replies: int = 0
    others: int = 0

    def see(self, frame: bytes) -> None:
        """Count one frame; a malformed one is among `others`."""
        self.frames += 1
        kind = int.from_bytes(frame[12:14], "big")
        if kind == _ETHERTYPE_ARP:
            self.arp += 1
            return
        header = (frame[14] & 15) * 4 if len(frame) > 14 else 0
        if (
            kind == _ETHERTYPE_IP
            and len(frame) > 14 + header
            and header >= 20
            and frame[23] == _PROTOCOL_ICMP
        ):
            icmp = frame[14 + header]
            if icmp == _ECHO_REPLY:
                self.echo_replies += 1
                return
            if icmp == _ECHO_REQUEST:
                self.echo_requests += 1
                return
        self.others += 1

    def as_dict(self) -> dict[str, int]:
        """The counters by name, for JSON reports."""
        return asdict(self)
