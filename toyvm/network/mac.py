"""Ethernet addresses as 6 bytes, and the text form that people read."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

BROADCAST: Final = b"\xff" * 6
_PREFIX: Final = bytes.fromhex("525400")
"""The prefix that QEMU and KVM use for virtual cards."""
_TEXT: Final = re.compile(r"[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}")


def parse_mac(text: str) -> bytes:
    """The address written as ``52:54:00:12:34:56`` (or with dashes).

    Raises ValueError for anything else, and for a group address: a card cannot own one.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError(f"MAC address {text!r}: expected six bytes as in 52:54:00:12:34:56")
    mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
    if is_group(mac):
        raise ValueError(
            f"MAC address {text!r}: is a group address; choose an even first byte, as in 52"
        )
    return mac


def format_mac(mac: bytes) -> str:
    """The address in its usual form: lower case, colons."""
    return mac.hex(":")


def mac_for(name: str) -> bytes:
    """An address that depends on ``name`` only, with QEMU's prefix 52:54:00.

    Two names give the same address once in 16 million pairs; labs that care set addresses
    themselves.
    """
    return _PREFIX + sha256(name.encode()).digest()[:3]


def is_group(mac: bytes) -> bool:
    """True for broadcast and multicast addresses: bit 0 of the first byte."""
    return bool(mac[0] & 1)
