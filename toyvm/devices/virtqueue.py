"""Split virtqueues, seen from the device (VIRTIO 1.2, section 2.7).

Everything in a queue is the driver's word, so nothing is believed: addresses are checked as 64-bit
numbers against the device's memory, indices against the queue size, chains against loops.  What
breaks a rule raises :class:`RingError`; the transport turns it into DEVICE_NEEDS_RESET.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from toyvm.devices.dma import DmaMemory

MAX_SIZE: Final = 1024
"""Largest queue, in descriptors; what QEMU reports too."""

DESC_SIZE: Final = 16
DESC_NEXT: Final = 1
DESC_WRITE: Final = 2
DESC_INDIRECT: Final = 4
AVAIL_NO_INTERRUPT: Final = 1

_DESC: Final = Struct("<QIHH")
_ELEMENT: Final = Struct("<II")
_PAIR: Final = Struct("<HH")
_SPACE: Final = 1 << 64


class RingError(Exception):
    """The driver broke a rule of the queue; the text says which and where."""


class Chain:
    """One request: the buffers that the device may read, then those that it may write."""

    __slots__ = ("_memory", "head", "readable", "readable_size", "writable", "writable_size")

    def __init__(self, memory: DmaMemory, head: int) -> None:
        self._memory = memory
        self.head = head
        """Index of the first descriptor: the chain's name in the used ring."""
        self.readable: list[tuple[int, int]] = []
        """Address and length of each device-readable buffer."""
        self.writable: list[tuple[int, int]] = []
        self.readable_size = 0
        """Sum of the lengths in bytes."""
        self.writable_size = 0

    def gather(self, start: int, size: int) -> bytes:
        """Up to ``size`` readable bytes from byte ``start`` on, wherever the driver split them.

        Raises RingError if a buffer is outside memory.
        """
        parts = []
        for address, length in self.readable:
            if start >= length:
                start -= length
                continue
            take = min(length - start, size)
            if take <= 0:
                break
            part = self._memory.read(address + start, take)
            if part is None:
                raise RingError(_outside("readable buffer", address, length))
            parts.append(part)
            size -= take
            start = 0
        return b"".join(parts)

    def scatter(self, start: int, data: bytes) -> None:
        """Store ``data`` in the writable buffers from byte ``start`` on.

        Raises RingError if a buffer is outside memory; the caller has checked the size.
        """
        done = 0
        for address, length in self.writable:
            if start >= length:
                start -= length
                continue
            take = min(length - start, len(data) - done)
            if take <= 0:
                return
            if not self._memory.write(address + start, data[done : done + take]):
                raise RingError(_outside("writable buffer", address, length))
            done += take
            start = 0


class VirtQueue:
    """One split virtqueue.  The transport sets size and addresses, then :meth:`enable` s it."""

    def __init__(self, memory: DmaMemory) -> None:
        self._memory = memory
        self.reset()

    def reset(self) -> None:
        """Power-on state: largest size, no addresses, not ready."""
        self.size = MAX_SIZE
        self.desc = 0
        """Address of the descriptor table."""
        self.avail = 0
        """Address of the available ring ("driver area")."""
        self.used = 0
        """Address of the used ring ("device area")."""
        self.disable()

    def disable(self) -> None:
        """Stop using the queue's memory; size and addresses are kept."""
        self.ready = False
        self._indirect = False
        self._event_idx = False
        self._on_empty = False
        self._next_avail = 0
        self._next_used = 0
        self._signalled = 0

    def enable(self) -> None:
        """Start using the queue, from index 0.

        Raises RingError if one of its three areas is misaligned or not in memory.
        """
        self.disable()
        areas = (
            ("descriptor table", self.desc, DESC_SIZE * self.size, 16),
            ("available ring", self.avail, 6 + 2 * self.size, 2),
            ("used ring", self.used, 6 + 8 * self.size, 4),
        )
        for name, address, length, alignment in areas:
            if address % alignment:
                raise RingError(f"{name} at {address:#x}: expected a multiple of {alignment}")
            if not self._inside(address, length):
                raise RingError(_outside(name, address, length))
        self.ready = True

    def negotiate(self, indirect: bool, event_idx: bool, on_empty: bool = False) -> None:
        """Say which optional parts of the queue format the driver accepted."""
        self._indirect = indirect
        self._event_idx = event_idx
        self._on_empty = on_empty

    # -- taking requests --------------------------------------------------------------------------

    def pop(self) -> Chain | None:
        """The next available chain, checked; None if there is none.

        Raises RingError if the driver broke a rule.  Takes at most ``size`` descriptors' worth of
        work.
        """
        _, index = _PAIR.unpack(self._fetch("available ring", self.avail, 4))
        waiting = (index - self._next_avail) & 0xFFFF
        if not waiting:
            return None
        if waiting > self.size:
            raise RingError(
                f"available index jumped from {self._next_avail} to {index}: "
                f"expected at most {self.size} new entries"
            )
        at = self.avail + 4 + 2 * (self._next_avail % self.size)
        head = int.from_bytes(self._fetch("available ring", at, 2), "little")
        if head >= self.size:
            raise RingError(f"available entry {head}: expected less than {self.size}")
        chain = self._walk(head)
        self._next_avail = (self._next_avail + 1) & 0xFFFF
        return chain

    def put_back(self, count: int = 1) -> None:
        """Undo the last ``count`` calls of :meth:`pop`, so that the same chains come again."""
        self._next_avail = (self._next_avail - count) & 0xFFFF

    def _walk(self, head: int) -> Chain:
        chain = Chain(self._memory, head)
        table, count, index = self.desc, self.size, head
        indirect = False
        # A chain visits each descriptor at most once, and one more step enters an indirect table;
        # whoever needs more goes in a circle.
        for _ in range(self.size + 1):
            raw = self._fetch("descriptor", table + DESC_SIZE * index, DESC_SIZE)
            address, length, flags, after = _DESC.unpack(raw)
            if flags & DESC_INDIRECT:
                count = self._enter(address, length, flags, indirect)
                table, index, indirect = address, 0, True
                continue
            self._add(chain, index, address, length, bool(flags & DESC_WRITE))
            if not flags & DESC_NEXT:
                return chain
            if after >= count:
                raise RingError(f"descriptor {index}: next is {after}, expected below {count}")
            index = after
        raise RingError(f"chain {head} is longer than the {self.size} descriptors of the queue")

    def _enter(self, address: int, length: int, flags: int, nested: bool) -> int:
        """Check an indirect descriptor; returns the number of descriptors in its table."""
        if not self._indirect:
            raise RingError("indirect descriptor without VIRTIO_F_INDIRECT_DESC")
        if nested:
            raise RingError("indirect descriptor inside an indirect table")
        if flags & DESC_NEXT:
            raise RingError("indirect descriptor with a next descriptor")
        if not length or length % DESC_SIZE or length > DESC_SIZE * self.size:
            raise RingError(
                f"indirect table of {length} bytes: expected a multiple of {DESC_SIZE}, "
                f"at most {DESC_SIZE * self.size}"
            )
        if not self._inside(address, length):
            raise RingError(_outside("indirect table", address, length))
        return length // DESC_SIZE

    def _add(self, chain: Chain, index: int, address: int, length: int, write: bool) -> None:
        if not length:
            raise RingError(f"descriptor {index} has length 0")
        if not self._inside(address, length):
            raise RingError(_outside(f"descriptor {index}", address, length))
        if write:
            chain.writable.append((address, length))
            chain.writable_size += length
        elif chain.writable:
            raise RingError(f"descriptor {index} is readable behind a writable one")
        else:
            chain.readable.append((address, length))
            chain.readable_size += length

    # -- giving them back -------------------------------------------------------------------------

    def push(self, chain: Chain, written: int) -> None:
        """Put a completed chain into the used ring; ``written`` bytes were stored in its buffers,
        counted from the first writable one."""
        at = self.used + 4 + 8 * (self._next_used % self.size)
        self._store("used ring", at, _ELEMENT.pack(chain.head, written & 0xFFFF_FFFF))
        self._next_used = (self._next_used + 1) & 0xFFFF
        self._store("used ring", self.used + 2, self._next_used.to_bytes(2, "little"))

    def push_all(self, parts: list[tuple[Chain, int]]) -> None:
        """As :meth:`push` for several chains, which become visible to the driver at once."""
        for n, (chain, written) in enumerate(parts):
            at = self.used + 4 + 8 * ((self._next_used + n) % self.size)
            self._store("used ring", at, _ELEMENT.pack(chain.head, written & 0xFFFF_FFFF))
        self._next_used = (self._next_used + len(parts)) & 0xFFFF
        self._store("used ring", self.used + 2, self._next_used.to_bytes(2, "little"))

    def finish(self) -> bool:
        """End a run of pops and pushes: True if the driver wants an interrupt for it."""
        old, self._signalled = self._signalled, self._next_used
        if not self._event_idx:
            if old == self._next_used:
                return False
            flags, index = _PAIR.unpack(self._fetch("available ring", self.avail, 4))
            return not flags & AVAIL_NO_INTERRUPT or (self._on_empty and index == self._next_avail)
        self._store(
            "used ring", self.used + 4 + 8 * self.size, self._next_avail.to_bytes(2, "little")
        )
        at = self.avail + 4 + 2 * self.size
        event = int.from_bytes(self._fetch("available ring", at, 2), "little")
        # Section 2.7.7.2: interrupt when the index passes used_event.
        if (self._next_used - event - 1) & 0xFFFF < (self._next_used - old) & 0xFFFF:
            return True
        index = int.from_bytes(self._fetch("available ring", self.avail + 2, 2), "little")
        return self._on_empty and old != self._next_used and index == self._next_avail

    # -- memory -----------------------------------------------------------------------------------

    def _inside(self, address: int, length: int) -> bool:
        """Both ends are in memory and the range does not wrap around 64 bits."""
        if address + length > _SPACE:
            return False
        memory = self._memory
        return (
            memory.read(address, 1) is not None and memory.read(address + length - 1, 1) is not None
        )

    def _fetch(self, what: str, address: int, size: int) -> bytes:
        data = self._memory.read(address, size)
        if data is None:
            raise RingError(_outside(what, address, size))
        return data

    def _store(self, what: str, address: int, data: bytes) -> None:
        if not self._memory.write(address, data):
            raise RingError(_outside(what, address, len(data)))


def _outside(what: str, address: int, length: int) -> str:
    return f"{what} at {address:#x} with {length} bytes is not in memory"
