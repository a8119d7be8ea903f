"""Writer of flattened device trees (Devicetree Specification 0.4, chapter 5): nodes and properties
in, one binary blob out."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Final

MAGIC: Final = 0xD00D_FEED
VERSION: Final = 17
LAST_COMPATIBLE: Final = 16
HEADER_SIZE: Final = 40
_RESERVATIONS: Final = bytes(16)
"""An empty list of reserved memory: just its terminator."""

_BEGIN_NODE: Final = 1
_END_NODE: Final = 2
_PROP: Final = 3
_END: Final = 9

Value = int | str | bytes | Sequence[int] | Sequence[str] | None


class Node:
    """A node under construction.  Properties and children keep the order in which they came."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._properties: list[tuple[str, bytes]] = []
        self._children: list[Node] = []

    def prop(self, name: str, value: Value = None) -> Node:
        """Add a property and return this node.

        An int is one 32-bit cell, a sequence of ints is cells, a str or sequence of str is text,
        bytes stay as they are, and None is an empty property.
        """
        self._properties.append((name, _encode(value)))
        return self

    def child(self, name: str) -> Node:
        """Add a child node and return it."""
        node = Node(name)
        self._children.append(node)
        return node

    def flatten(self, boot_hart: int = 0) -> bytes:
        """The blob with this node as the root."""
        strings: dict[str, int] = {}
        structure = bytearray()
        self._emit(structure, strings)
        structure += pack(">I", _END)
        text = b"".join(name.encode() + b"\0" for name in strings)
        at_structure = HEADER_SIZE + len(_RESERVATIONS)
        at_strings = at_structure + len(structure)
        header = pack(
            ">10I",
            MAGIC,
            at_strings + len(text),
            at_structure,
            at_strings,
            HEADER_SIZE,
            VERSION,
            LAST_COMPATIBLE,
            boot_hart,
            len(text),
            len(structure),
        )
        return header + _RESERVATIONS + bytes(structure) + text

    def _emit(self, out: bytearray, strings: dict[str, int]) -> None:
        out += pack(">I", _BEGIN_NODE) + _padded(self.name.encode() + b"\0")
        for name, value in self._properties:
            if name not in strings:
                strings[name] = sum(len(known.encode()) + 1 for known in strings)
            out += pack(">III", _PROP, len(value), strings[name]) + _padded(value)
        for node in self._children:
            node._emit(out, strings)
        out += pack(">I", _END_NODE)


def _encode(value: Value) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return pack(">I", value)
    if isinstance(value, str):
        return value.encode() + b"\0"
    return b"".join(_encode(part) for part in value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
