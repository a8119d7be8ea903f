"""virtio console (VIRTIO 1.2, section 5.3): one port, a receive and a transmit queue.

VIRTIO_CONSOLE_F_MULTIPORT is not offered, so a driver uses port 0 alone.  A byte written to the
field ``emerg_wr`` is put out at once, before any queue exists.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from toyvm.devices.virtio import ID_CONSOLE, VirtioDevice
from toyvm.devices.virtqueue import VirtQueue

F_EMERG_WRITE: Final = 1 << 2

RX: Final = 0
TX: Final = 1
PORTS: Final = 1
EMERG_WR: Final = 8
"""Offset of the field in the configuration space."""
TX_MAX: Final = 64 << 10
"""Most bytes that one chain may send; more is cut off and counted as an error."""
KICK_MAX: Final = 1 << 20
"""Bytes after which a notification's work is left for the next poll."""

_CONFIG: Final = Struct("<HHII")


class VirtioConsole(VirtioDevice):
    """A serial line.

    ``tx(data)`` receives what the guest sends; an OSError from it counts as lost output.
    :meth:`feed` is the other direction; what the driver has no buffers for waits.
    """

    device_id = ID_CONSOLE
    queue_count = 2

    def __init__(self, tx: Callable[[bytes], None]) -> None:
        super().__init__()
        self._tx = tx
        self._host = bytearray()

    @property
    def offered(self) -> int:
        return F_EMERG_WRITE

    def config(self) -> bytes:
        # Without F_SIZE the driver does not look at columns and rows.
        return _CONFIG.pack(0, 0, PORTS, 0)

    def write_config(self, offset: int, data: bytes) -> None:
        if offset == EMERG_WR:
            self._send(data[:1])

    @property
    def backlog(self) -> int:
        """Bytes of host input that wait for buffers."""
        return len(self._host)

    def feed(self, data: bytes) -> None:
        """Host input: queue ``data`` for the guest, in order."""
        self._host += data
        if self.transport is not None:
            self.transport.service(RX)

    def process(self, index: int, queue: VirtQueue) -> bool:
        return self._fill(queue) if index == RX else self._drain(queue)

    def _fill(self, queue: VirtQueue) -> bool:
        for _ in range(queue.size):
            if not self._host:
                return False
            chain = queue.pop()
            if chain is None:
                return False
            data = bytes(self._host[: chain.writable_size])
            chain.scatter(0, data)
            queue.push(chain, len(data))
            del self._host[: len(data)]
            self.stats.requests += 1
            self.stats.bytes_in += len(data)
        return bool(self._host)

    def _drain(self, queue: VirtQueue) -> bool:
        moved = 0
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            if chain.readable_size > TX_MAX:
                self.stats.errors += 1
            data = chain.gather(0, TX_MAX)
            self._send(data)
            queue.push(chain, 0)
            self.stats.requests += 1
            moved += len(data)
            if moved >= KICK_MAX:
                break
        return True

    def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._tx(data)
        except OSError:
            self.stats.drops += 1
            self.stats.errors += 1
            return
        self.stats.bytes_out += len(data)
