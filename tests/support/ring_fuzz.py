"""Random drivers against the virtio devices: rings, descriptors, registers, resets.

An operation is one thing that a driver does: a descriptor written, a chain offered, a register
written, a notification, a frame or a key from outside.  Checked: no exception, nothing outside of
memory changes, nothing in a buffer that the device may only read, and the work of a notification is
bounded.  At the end of a round a correct driver resets the device and is served.
"""

from __future__ import annotations

import random
import struct
from collections import Counter

from tests.devices.driver import INDIRECT, NEXT, WRITE, Driver, Ours, Queue
from tests.devices.memory import RAM, GuardedMemory
from toyvm.devices.virtio import VirtioDevice
from toyvm.devices.virtio_blk import VirtioBlk
from toyvm.devices.virtio_console import VirtioConsole
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtio_net import VirtioNet
from toyvm.devices.virtio_rng import VirtioRng
from toyvm.storage import MemoryDisk

DEVICES = {"blk": 1, "net": 3, "console": 4, "rng": 1}
"""Queues of each device."""
SIZE = 16
MEMORY = 1 << 18
READABLE = RAM + 0x2_0000
WRITABLE = RAM + 0x3_0000
AREA = 0x1_0000
EVERYTHING = (1 << 40) - 1
ADDRESSES = (0, RAM - 1, RAM, RAM + MEMORY - 1, RAM + MEMORY, 1 << 32, (1 << 64) - 1, 1 << 63)
LENGTHS = (0, 1, 2, 3, 10, 12, 16, 20, 64, 512, 513, 1024, 4096, 1 << 16, 0xFFFF_FFFF)
STATUSES = (0, 1, 3, 4, 7, 0x0B, 0x0F, 0x40, 0x8F, 0xFF)
HEADERS = (0, 0, 0, 1, 1, 4, 8, 11, 13, 99)


class RingFuzz:
    """One device of a kind behind one layout, and its random driver."""

    def __init__(self, kind: str, legacy: bool, seed: int) -> None:
        self.kind = kind
        self.rng = random.Random(f"{kind} {legacy} {seed}")
        self.memory = GuardedMemory(MEMORY)
        self.out = 0
        self.polite = self.rng.random() < 0.4
        """This driver's chains are whole: it can be told which buffers nobody may write to."""
        self.device = self._device()
        self.slot = VirtioMmio(self.device, self.memory, lambda level: None, legacy)
        self.machine = Ours(self.slot, self.memory)
        self.counts: Counter[str] = Counter()
        self.queues: list[Queue] = []
        self._open()

    def _device(self) -> VirtioDevice:
        if self.kind == "blk":
            return VirtioBlk(MemoryDisk(1 << 15))
        if self.kind == "net":
            return VirtioNet(b"\x52\x54\0\0\0\1", self._sent)
        return VirtioConsole(self._sent) if self.kind == "console" else VirtioRng()

    def _sent(self, data: bytes) -> None:
        self.out += len(data)

    def _open(self, accept: int | None = None) -> None:
        """A correct driver takes over, with random features."""
        accept = self.rng.getrandbits(40) if accept is None else accept
        driver = Driver(self.machine, RAM, DEVICES[self.kind], SIZE, accept)
        self.queues = driver.queues
        self.counts["resets"] += 1

    def run(self, operations: int) -> None:
        """So many operations, then the check that the device still serves a correct driver."""
        actions = [*(self._request,) * 6, *(self._outside,) * 2, self._notify, self._config]
        if not self.polite:
            actions += [*(self._descriptor,) * 3, *(self._offer,) * 2]
            actions += [self._register, self._index, self._noise]
        done = 0
        while done < operations:
            broken = self.slot.status & 0x40 or not self.slot.live
            if broken and self.rng.random() < 0.6:
                self._open()
            elif self.rng.random() < 0.002:
                self.slot.reset()
                self._open()
            done += self.rng.choice(actions)()
            self.slot.poll()
        self.counts["operations"] += done
        self.memory.check()
        self._serve()

    # -- what a driver does ------------------------------------------------------------------------

    def _queue(self) -> Queue:
        return self.rng.choice(self.queues)

    def _kick(self, index: int) -> None:
        reads = self.memory.reads
        self.machine.store(0x50, index)
        size = max(queue.size for queue in self.slot.queues)
        assert self.memory.reads - reads <= 8 * (size + 2) ** 2, "a notification without bound"
        self.counts["notifications"] += 1

    def _request(self) -> int:
        """A well-formed chain, sometimes through an indirect table, with what devices look for."""
        rng, queue = self.rng, self._queue()
        data = struct.pack("<IIQ", rng.choice(HEADERS), 0, rng.randrange(70))
        data += rng.randbytes(rng.choice((0, 0, 16, 60, 512, 1024)))
        if self.kind == "net" and rng.random() < 0.7:
            data = rng.choice((bytes(10), bytes(12), bytes((rng.randrange(4), rng.randrange(7)))))
            data += rng.randbytes(rng.choice((0, 1, 6, 14, 60, 1514, 1600)))
        at = READABLE + rng.randrange(AREA - 4096)
        self.memory.write(at, data)
        buffers = []
        while data and len(buffers) < 8:
            take = rng.choice((len(data), 1, 7, 16, 512)) if len(buffers) < 7 else len(data)
            take = min(take, len(data))
            buffers.append((at, take, False))
            at, data = at + take, data[take:]
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            into = WRITABLE + rng.randrange(AREA - 4096)
            buffers.append((into, rng.choice((1, 2, 20, 512, 513, 1526, 4096)), True))
        if not buffers:
            return 1
        if rng.random() < 0.1:
            rng.shuffle(buffers)
        if rng.random() < 0.2:
            head = queue.indirect(RAM + 0x1_8000 + 512 * rng.randrange(16), buffers)
        else:
            head = queue.chain(buffers)
        queue.offer(head)
        if self.polite:
            self.memory.protected = [(a, n) for a, n, writable in buffers if not writable]
        if rng.random() < 0.8:
            self._kick(queue.index)
        self.memory.protected = []
        return len(buffers) + 2

    def _descriptor(self) -> int:
        rng = self.rng
        address = rng.choice(
            (rng.choice(ADDRESSES), RAM + rng.randrange(MEMORY), rng.getrandbits(64))
        )
        length = rng.choice((rng.choice(LENGTHS), rng.randrange(3000), rng.getrandbits(32)))
        flags = rng.choice((0, NEXT, WRITE, NEXT | WRITE, INDIRECT, rng.getrandbits(16)))
        after = rng.choice((rng.randrange(SIZE), rng.getrandbits(16)))
        self._queue().descriptor(rng.randrange(SIZE), address, length, flags, after)
        return 1

    def _offer(self) -> int:
        self._queue().offer(self.rng.choice((self.rng.randrange(SIZE), self.rng.getrandbits(16))))
        return 1

    def _notify(self) -> int:
        self._kick(self.rng.choice((0, 1, 2, 3, self.rng.getrandbits(32))))
        return 1

    def _register(self) -> int:
        rng = self.rng
        if rng.random() < 0.3:
            self.machine.store(0x70, rng.choice(STATUSES))
        else:
            value = rng.choice(
                (rng.getrandbits(32), rng.randrange(20), 0x8_0000 + rng.randrange(4))
            )
            width = rng.choice((4, 4, 4, 2, 1))
            self.slot.write(rng.randrange(0, 0x100, 4), width, value)
        return 1

    def _index(self) -> int:
        at = self._queue().avail + 2
        self.memory.write(at, self.rng.getrandbits(16).to_bytes(2, "little"))
        return 1

    def _noise(self) -> int:
        at = RAM + self.rng.randrange(MEMORY - 64)
        self.memory.write(at, self.rng.randbytes(self.rng.randrange(64)))
        return 1

    def _config(self) -> int:
        rng = self.rng
        width = rng.choice((1, 2, 4))
        offset = rng.randrange(0x100, 0x200, width)
        if rng.random() < 0.5:
            self.slot.write(offset, width, rng.getrandbits(32))
        else:
            value = self.slot.read(offset, width)
            assert value is not None
            assert 0 <= value < 1 << 8 * width
        return 1

    def _outside(self) -> int:
        data = self.rng.randbytes(self.rng.choice((0, 1, 14, 60, 1518, 1519)))
        if isinstance(self.device, VirtioNet):
            self.device.receive(data)
        elif isinstance(self.device, VirtioConsole) and self.device.backlog < 1 << 16:
            self.device.feed(data)
        return 1

    # -- and afterwards ----------------------------------------------------------------------------

    def _serve(self) -> None:
        """A correct driver gets what it asks for."""
        self.slot.reset()
        self._open(accept=0)
        data, into = READABLE, WRITABLE
        before = self.out
        if self.kind == "blk":
            self.memory.write(data, struct.pack("<IIQ", 8, 0, 0))
            buffers = [(data, 16, False), (into, 21, True)]
        elif self.kind == "rng":
            buffers = [(into, 8, True)]
        else:
            self.memory.write(data, bytes(72))
            buffers = [(data, 72, False)]
        queue = self.queues[1 if self.kind in ("net", "console") else 0]
        queue.offer(queue.chain(buffers))
        queue.notify()
        assert len(queue.collect()) == 1
        assert not self.slot.status & 0x40
        if self.kind == "blk":
            assert self.memory.read(into, 21) == b"toyvm".ljust(20, b"\0") + b"\0"
        elif self.kind != "rng":
            assert self.out > before
        self._open()
