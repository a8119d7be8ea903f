"""A small virtio driver, written from the specification alone: the tests' oracle.

It knows nothing of the package: all numbers are typed again from VIRTIO 1.2.  It reaches the slot
and the memory through a :class:`Machine`, so the same driver runs on our devices and on QEMU.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

NEXT, WRITE, INDIRECT = 1, 2, 4


class Machine(Protocol):
    """Where a driver lives: registers of one slot by offset, and memory by address."""

    def load(self, offset: int, width: int = 4) -> int: ...
    def store(self, offset: int, value: int, width: int = 4) -> None: ...
    def read(self, pa: int, n: int) -> bytes: ...
    def write(self, pa: int, data: bytes) -> None: ...


class Ours:
    """Our slot and test memory."""

    def __init__(self, slot, memory) -> None:
        self.slot = slot
        self.memory = memory

    def load(self, offset: int, width: int = 4) -> int:
        value = self.slot.read(offset, width)
        assert value is not None, f"reading offset {offset:#x} faulted"
        return value

    def store(self, offset: int, value: int, width: int = 4) -> None:
        assert self.slot.write(offset, width, value), f"writing offset {offset:#x} faulted"

    def read(self, pa: int, n: int) -> bytes:
        data = self.memory.read(pa, n)
        assert data is not None
        return data

    def write(self, pa: int, data: bytes) -> None:
        assert self.memory.write(pa, data)


class Qemu:
    """A slot of a QEMU board behind qtest."""

    def __init__(self, qtest, base: int) -> None:
        self.qtest = qtest
        self.base = base

    def load(self, offset: int, width: int = 4) -> int:
        return self.qtest.load(self.base + offset, width)

    def store(self, offset: int, value: int, width: int = 4) -> None:
        self.qtest.store(self.base + offset, width, value)

    def read(self, pa: int, n: int) -> bytes:
        return self.qtest.read_memory(pa, n)

    def write(self, pa: int, data: bytes) -> None:
        self.qtest.write_memory(pa, data)


@dataclass
class Used:
    """One entry of the used ring."""

    head: int
    length: int


class Queue:
    """Split queue number ``index`` of ``size`` descriptors at ``at``; 16 KiB is enough for it."""

    def __init__(self, machine: Machine, index: int, size: int, at: int, legacy: bool) -> None:
        self.machine, self.index, self.size = machine, index, size
        self.desc = at
        self.avail = at + 16 * size
        end = self.avail + 6 + 2 * size
        align = 4096 if legacy else 4
        self.used = (end + align - 1) // align * align
        self.free = 0
        self.avail_index = 0
        self.seen = 0
        machine.write(at, bytes(self.used + 6 + 8 * size - at))
        machine.store(0x30, index)
        assert machine.load(0x34) >= size
        machine.store(0x38, size)
        if legacy:
            machine.store(0x3C, align)
            machine.store(0x40, at >> 12)
            assert machine.load(0x40) == at >> 12
        else:
            for register, address in ((0x80, at), (0x90, self.avail), (0xA0, self.used)):
                machine.store(register, address & 0xFFFF_FFFF)
                machine.store(register + 4, address >> 32)
            assert machine.load(0x44) == 0
            machine.store(0x44, 1)
            assert machine.load(0x44) == 1

    def descriptor(self, index: int, address: int, length: int, flags: int, after: int) -> None:
        entry = struct.pack("<QIHH", address, length, flags, after)
        self.machine.write(self.desc + 16 * index, entry)

    def chain(self, buffers: list[tuple[int, int, bool]]) -> int:
        """Descriptors for (address, length, device-writable); returns the head."""
        assert len(buffers) <= self.size
        indices = [(self.free + n) % self.size for n in range(len(buffers))]
        self.free = (self.free + len(buffers)) % self.size
        for n, (address, length, writable) in enumerate(buffers):
            last = n == len(buffers) - 1
            flags = (WRITE if writable else 0) | (0 if last else NEXT)
            self.descriptor(indices[n], address, length, flags, 0 if last else indices[n + 1])
        return indices[0]

    def indirect(self, table: int, buffers: list[tuple[int, int, bool]]) -> int:
        """The same through an indirect table at address ``table``."""
        for n, (address, length, writable) in enumerate(buffers):
            last = n == len(buffers) - 1
            flags = (WRITE if writable else 0) | (0 if last else NEXT)
            entry = struct.pack("<QIHH", address, length, flags, 0 if last else n + 1)
            self.machine.write(table + 16 * n, entry)
        head = self.free
        self.free = (self.free + 1) % self.size
        self.descriptor(head, table, 16 * len(buffers), INDIRECT, 0)
        return head

    def offer(self, *heads: int) -> None:
        """Put chains into the available ring, all visible at once."""
        for head in heads:
            at = self.avail + 4 + 2 * (self.avail_index % self.size)
            self.machine.write(at, struct.pack("<H", head))
            self.avail_index = (self.avail_index + 1) & 0xFFFF
        self.machine.write(self.avail + 2, struct.pack("<H", self.avail_index))

    def notify(self) -> None:
        self.machine.store(0x50, self.index)

    def used_index(self) -> int:
        return struct.unpack("<H", self.machine.read(self.used + 2, 2))[0]

    def collect(self) -> list[Used]:
        """The entries that the device added since the last call."""
        found = []
        while self.seen != self.used_index():
            at = self.used + 4 + 8 * (self.seen % self.size)
            found.append(Used(*struct.unpack("<II", self.machine.read(at, 8))))
            self.seen = (self.seen + 1) & 0xFFFF
        return found


class Driver:
    """Initialises a slot as section 3.1 says and gives access to its queues."""

    def __init__(
        self,
        machine: Machine,
        at: int,
        queues: int,
        size: int = 16,
        accept: int = 0,
    ) -> None:
        """``accept`` is the features wanted among those offered; VERSION_1 comes with version 2."""
        self.machine = machine
        assert machine.load(0x00) == int.from_bytes(b"virt", "little")
        self.version = machine.load(0x04)
        self.device_id = machine.load(0x08)
        assert self.version in (1, 2)
        self.legacy = self.version == 1
        machine.store(0x70, 0)
        assert machine.load(0x70) == 0
        machine.store(0x70, 1)
        machine.store(0x70, 1 | 2)
        self.offered = self._features()
        wanted = accept | (0 if self.legacy else 1 << 32)
        self.features = self.offered & wanted
        for word in (0,) if self.legacy else (0, 1):
            machine.store(0x24, word)
            machine.store(0x20, self.features >> 32 * word & 0xFFFF_FFFF)
        status = 1 | 2
        if self.legacy:
            machine.store(0x28, 4096)
        else:
            status |= 8
            machine.store(0x70, status)
            assert machine.load(0x70) & 8, "the device refused the features"
        self.queues = [Queue(machine, n, size, at + n * 0x8000, self.legacy) for n in range(queues)]
        machine.store(0x70, status | 4)

    def _features(self) -> int:
        value = 0
        for word in (0, 1):
            self.machine.store(0x14, word)
            value |= self.machine.load(0x10) << 32 * word
        return value

    @property
    def status(self) -> int:
        return self.machine.load(0x70)

    @property
    def interrupt(self) -> int:
        return self.machine.load(0x60)

    def acknowledge(self) -> None:
        self.machine.store(0x64, self.machine.load(0x60))

    def config(self, size: int) -> bytes:
        return bytes(self.machine.load(0x100 + n, 1) for n in range(size))


class BlockDriver(Driver):
    """One request at a time, or many; buffers in a scratch area behind the queue."""

    def __init__(self, machine: Machine, at: int, size: int = 16, accept: int = 0) -> None:
        super().__init__(machine, at, 1, size, accept)
        self.queue = self.queues[0]
        self.scratch = at + 0x8000

    def submit(
        self, kind: int, sector: int, data: bytes = b"", room: int = 0, split: int = 0
    ) -> tuple[Used, int, bytes]:
        """One request; ``split`` cuts the readable part into descriptors of that many bytes.

        Returns the used entry, the status byte and the data area."""
        readable = struct.pack("<IIQ", kind, 0, sector) + data
        at = self.scratch
        self.machine.write(at, readable)
        step = split or len(readable)
        buffers = [
            (at + n, min(step, len(readable) - n), False) for n in range(0, len(readable), step)
        ]
        into = at + len(readable) + 64
        self.machine.write(into, b"\xee" * (room + 1))
        if room:
            buffers.append((into, room, True))
        buffers.append((into + room, 1, True))
        self.queue.offer(self.queue.chain(buffers))
        self.queue.notify()
        (used,) = self.wait()
        answer = self.machine.read(into, room + 1)
        return used, answer[-1], answer[:-1]

    def wait(self) -> list[Used]:
        """Completed requests; QEMU works in the background, so it gets some time."""
        for _ in range(20_000):
            found = self.queue.collect()
            if found:
                return found
        raise AssertionError("the request did not complete")
