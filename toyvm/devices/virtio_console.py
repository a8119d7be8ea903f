"""virtio console (VIRTIO 1.2, section 5.3): port 0, a console, with a receive and a transmit queue.

As on QEMU there is room for 31 ports and their queues; with VIRTIO_CONSOLE_F_MULTIPORT a driver
hears through the control queues that port 0 is the only one.  What it sends to others is thrown
away.  A byte written to the field ``emerg_wr`` is put out at once, before any queue exists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Final

from toyvm.devices.virtio import ID_CONSOLE, VirtioDevice
from toyvm.devices.virtqueue import VirtQueue

F_MULTIPORT: Final = 1 << 1
F_EMERG_WRITE: Final = 1 << 2

RX: Final = 0
TX: Final = 1
CONTROL_RX: Final = 2
CONTROL_TX: Final = 3
PORTS: Final = 31

# Control messages (section 5.3.6.2): port, event, value.
MESSAGE: Final = Struct("<IHH")
DEVICE_READY: Final = 0
PORT_ADD: Final = 1
PORT_READY: Final = 3
CONSOLE_PORT: Final = 4
PORT_OPEN: Final = 6
MESSAGES_MAX: Final = 64
"""Messages that wait for buffers; a driver that asks for more without taking any gets none."""

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
    queue_count = 2 + 2 * PORTS

    def __init__(self, tx: Callable[[bytes], None]) -> None:
        super().__init__()
        self._tx = tx
        self._host = bytearray()
        self._messages: deque[bytes] = deque()
        self._open = False
        """With several ports: the driver has opened port 0."""

    @property
    def offered(self) -> int:
        return F_MULTIPORT | F_EMERG_WRITE

    def reset(self) -> None:
        self._messages.clear()
        self._open = False

    @property
    def _multiport(self) -> bool:
        return self.transport is not None and bool(self.transport.features & F_MULTIPORT)

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
        if index == RX:
            return self._fill(queue)
        if index == CONTROL_RX:
            return self._tell(queue)
        if index == CONTROL_TX:
            return self._listen(queue)
        # Receive queues of other ports stay as they are.
        return self._drain(queue, port=0 if index == TX else index // 2 - 1) if index & 1 else False

    # -- several ports -----------------------------------------------------------------------------

    def _listen(self, queue: VirtQueue) -> bool:
        """Take the driver's messages and answer them."""
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            message = chain.gather(0, MESSAGE.size)
            self.stats.requests += 1
            if len(message) == MESSAGE.size:
                self._answer(*MESSAGE.unpack(message))
            else:
                self.stats.errors += 1
            queue.push(chain, 0)
            if self.transport is not None:
                self.transport.service(CONTROL_RX)
        return True

    def _answer(self, port: int, event: int, value: int) -> None:
        if not self._multiport:
            return
        if event == DEVICE_READY and value:
            self._send_message(PORT_ADD, 1)
        elif port:
            self.stats.errors += 1
        elif event == PORT_READY and value:
            self._send_message(CONSOLE_PORT, 1)
            self._send_message(PORT_OPEN, 1)
        elif event == PORT_OPEN:
            self._open = bool(value)
            if self._open and self.transport is not None:
                self.transport.service(RX)

    def _send_message(self, event: int, value: int) -> None:
        if len(self._messages) >= MESSAGES_MAX:
            self.stats.drops += 1
            return
        self._messages.append(MESSAGE.pack(0, event, value))

    def _tell(self, queue: VirtQueue) -> bool:
        """Put waiting messages into the driver's buffers."""
        while self._messages:
            chain = queue.pop()
            if chain is None:
                return False
            if chain.writable_size < MESSAGE.size:
                self.stats.errors += 1
                queue.push(chain, 0)
                continue
            chain.scatter(0, self._messages.popleft())
            queue.push(chain, MESSAGE.size)
            self.stats.requests += 1
        return False

    # -- port 0 ------------------------------------------------------------------------------------

    def _fill(self, queue: VirtQueue) -> bool:
        if self._multiport and not self._open:
            return False
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

    def _drain(self, queue: VirtQueue, port: int) -> bool:
        moved = 0
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            if chain.readable_size > TX_MAX:
                self.stats.errors += 1
            data = chain.gather(0, TX_MAX)
            if port:
                self.stats.drops += 1
            else:
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
