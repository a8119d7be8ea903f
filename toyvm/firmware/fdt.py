"""Flattened device trees (Devicetree Specification 0.4, chapter 5): nodes and properties in, one
binary blob out; and a blob of somebody else's back into nodes."""

from __future__ import annotations

from collections.abc import Sequence
from struct import error, pack, unpack_from
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
_NOP: Final = 4
_END: Final = 9

MAX_SIZE: Final = 4 << 20
"""Largest blob that is read, in bytes."""
MAX_DEPTH: Final = 64
"""Deepest nesting of nodes that is read."""

Value = int | str | bytes | Sequence[int] | Sequence[str] | None


class TreeError(ValueError):
    """A blob that is no flattened device tree; the text says what is wrong and where."""


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

    def put(self, name: str, value: Value = None) -> Node:
        """As :meth:`prop`, but in the place of a property of that name if there is one."""
        for at, (known, _) in enumerate(self._properties):
            if known == name:
                self._properties[at] = (name, _encode(value))
                return self
        return self.prop(name, value)

    def child(self, name: str) -> Node:
        """Add a child node and return it."""
        node = Node(name)
        self._children.append(node)
        return node

    def at(self, name: str) -> Node | None:
        """The child of that name; None if there is none."""
        return next((node for node in self._children if node.name == name), None)

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


def parse(blob: bytes) -> Node:
    """The root of a flattened tree, versions 16 and 17; TreeError if it is broken.

    Memory reservations are not kept: our board has no memory that a kernel must leave alone.
    """
    try:
        return _parse(blob)
    except (error, IndexError):
        raise TreeError("it ends too early") from None
    except UnicodeDecodeError:
        raise TreeError("a name is not ASCII") from None


def _parse(blob: bytes) -> Node:
    magic, total, at, strings, _, version, oldest = unpack_from(">7I", blob)
    if magic != MAGIC:
        raise TreeError(f"it starts with {blob[:4].hex(' ')}, expected {MAGIC:08x}")
    if total > len(blob) or total > MAX_SIZE:
        raise TreeError(f"its header says {total} bytes; there are {len(blob)}, at most {MAX_SIZE}")
    if oldest > VERSION or version < LAST_COMPATIBLE:
        raise TreeError(f"it has version {version}; expected {LAST_COMPATIBLE} or {VERSION}")
    blob = blob[:total]
    top = Node()
    open_nodes = [top]
    while True:
        (token,) = unpack_from(">I", blob, at)
        at += 4
        if token == _BEGIN_NODE:
            name = _text(blob, at)
            at = at + len(name) + 1 + -(len(name) + 1) % 4
            if len(open_nodes) > MAX_DEPTH:
                raise TreeError(f"nodes are nested deeper than {MAX_DEPTH}")
            open_nodes.append(open_nodes[-1].child(name))
        elif token == _END_NODE:
            if len(open_nodes) < 2:
                raise TreeError(f"a node ends at {at - 4:#x} that never began")
            open_nodes.pop()
        elif token == _PROP:
            size, name_at = unpack_from(">2I", blob, at)
            at += 8
            if at + size > total or len(open_nodes) < 2:
                raise TreeError(f"the property at {at - 12:#x} is outside of a node or of the tree")
            open_nodes[-1].prop(_text(blob, strings + name_at), blob[at : at + size])
            at += size + -size % 4
        elif token == _END:
            break
        elif token != _NOP:
            raise TreeError(f"unknown token {token:#x} at {at - 4:#x}")
    if len(open_nodes) != 1 or len(top._children) != 1:
        raise TreeError("it does not have exactly one root node")
    root = top._children[0]
    root.name = ""
    return root


def _text(blob: bytes, at: int) -> str:
    """The zero-terminated text at an offset."""
    end = blob.find(b"\0", at)
    if end < 0 or at > len(blob):
        raise TreeError(f"the text at {at:#x} has no end")
    return blob[at:end].decode("ascii")


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
