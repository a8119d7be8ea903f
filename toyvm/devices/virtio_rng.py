"""virtio entropy device (VIRTIO 1.2, section 5.4): a queue of buffers to fill with random bytes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from toyvm.devices.virtio import ID_ENTROPY, VirtioDevice
from toyvm.devices.virtqueue import VirtQueue

REQUEST_MAX: Final = 64 << 10
"""Most bytes that one request gets; a larger buffer is filled so far."""
KICK_MAX: Final = 1 << 20
"""Bytes after which a notification's work is left for the next poll."""


class SeededBytes:
    """The same bytes for the same seed, in every run and on every host: SHA-256 of seed and
    counter.  Not for secrets."""

    def __init__(self, seed: int) -> None:
        self._seed = f"toyvm rng {seed}:".encode()
        self._counter = 0
        self._left = b""

    def __call__(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        parts = [self._left]
        have = len(self._left)
        while have < count:
            block = sha256(self._seed + str(self._counter).encode()).digest()
            self._counter += 1
            parts.append(block)
            have += len(block)
        data = b"".join(parts)
        self._left = data[count:]
        return data[:count]


class VirtioRng(VirtioDevice):
    """A source of randomness: ``source(n)`` gives n bytes; after an OSError there are none."""

    device_id = ID_ENTROPY
    queue_count = 1

    def __init__(self, source: Callable[[int], bytes] | None = None) -> None:
        super().__init__()
        self._source = source or SeededBytes(0)

    def process(self, index: int, queue: VirtQueue) -> bool:
        moved = 0
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            data = b""
            try:
                data = self._source(min(chain.writable_size, REQUEST_MAX))
            except OSError:
                self.stats.errors += 1
            chain.scatter(0, data)
            queue.push(chain, len(data))
            self.stats.requests += 1
            self.stats.bytes_in += len(data)
            moved += len(data)
            if moved >= KICK_MAX:
                break
        return True
