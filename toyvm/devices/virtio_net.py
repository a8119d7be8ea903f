"""virtio network device (VIRTIO 1.2, section 5.1): one receive and one transmit queue.

No offloads and no merged buffers are offered, so every frame is whole and needs one chain.  As on
QEMU without a receive filter the card is promiscuous: the guest sees every frame that arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from toyvm.devices.virtio import F_VERSION_1, ID_NET, VirtioDevice
from toyvm.devices.virtqueue import VirtQueue

F_MAC: Final = 1 << 5
F_STATUS: Final = 1 << 16
S_LINK_UP: Final = 1

RX: Final = 0
TX: Final = 1

HEADER_LEGACY: Final = 10
HEADER_MODERN: Final = 12
"""Length of the header in front of each frame: 12 with VIRTIO_F_VERSION_1, else 10."""
FRAME_MIN: Final = 14
"""An Ethernet header without payload; nothing pads frames here."""
FRAME_MAX: Final = 1518
"""1500 bytes of payload, the Ethernet header and one VLAN tag; no checksum at the end."""
BACKLOG_MAX: Final = 256
"""Frames that wait for the driver to provide buffers."""


class VirtioNet(VirtioDevice):
    """A network card.

    ``mac`` is 6 bytes.  ``send(frame)`` takes what the guest transmits; an OSError from it counts
    as a lost frame.  :meth:`receive` is the other direction.
    """

    device_id = ID_NET
    queue_count = 2

    def __init__(self, mac: bytes, send: Callable[[bytes], None]) -> None:
        if len(mac) != 6:
            raise ValueError(f"MAC address of {len(mac)} bytes: expected 6")
        super().__init__()
        self.mac = bytes(mac)
        self._send = send
        self._link = True
        self._backlog: deque[bytes] = deque()

    @property
    def offered(self) -> int:
        return F_MAC | F_STATUS

    def config(self) -> bytes:
        return self.mac + (S_LINK_UP if self._link else 0).to_bytes(2, "little")

    def reset(self) -> None:
        self._backlog.clear()

    @property
    def link(self) -> bool:
        """True while the cable is plugged in."""
        return self._link

    def set_link(self, up: bool) -> None:
        """Plug the cable in or out; the driver gets a configuration interrupt."""
        if up != self._link:
            self._link = up
            if self.transport:
                self.transport.config_changed()

    @property
    def backlog(self) -> int:
        """Frames that wait for receive buffers."""
        return len(self._backlog)

    @property
    def _header(self) -> int:
        modern = self.transport is not None and self.transport.features & F_VERSION_1
        return HEADER_MODERN if modern else HEADER_LEGACY

    # -- toward the guest -------------------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        """A frame from the network, without checksum.

        It is dropped and counted if it is malformed, the link is down, the driver is not ready, or
        too many frames wait already.
        """
        transport = self.transport
        ready = transport is not None and transport.live and transport.driver_ok and self._link
        well_formed = FRAME_MIN <= len(frame) <= FRAME_MAX
        if transport is None or not ready or not well_formed or len(self._backlog) >= BACKLOG_MAX:
            self.stats.drops += 1
            return
        self._backlog.append(bytes(frame))
        transport.service(RX)

    def process(self, index: int, queue: VirtQueue) -> bool:
        if index == RX:
            self._fill(queue)
            return False
        return self._drain(queue)

    def _fill(self, queue: VirtQueue) -> None:
        """Put waiting frames into receive buffers while there are both."""
        # The flags and sizes are zero without offloads; num_buffers is 1 (section 5.1.6.4.1).
        header = bytes(10) if self._header == HEADER_LEGACY else bytes(10) + b"\1\0"
        while self._backlog:
            chain = queue.pop()
            if chain is None:
                return
            packet = header + self._backlog[0]
            if chain.writable_size < len(packet):
                # Too small for this frame, perhaps not for the next: the buffer stays available.
                queue.put_back()
                self._backlog.popleft()
                self.stats.drops += 1
                self.stats.errors += 1
                continue
            chain.scatter(0, packet)
            queue.push(chain, len(packet))
            frame = self._backlog.popleft()
            self.stats.requests += 1
            self.stats.frames_in += 1
            self.stats.bytes_in += len(frame)

    # -- from the guest ---------------------------------------------------------------------------

    def _drain(self, queue: VirtQueue) -> bool:
        """Send what the driver queued; True if more is left after a full queue's worth."""
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            size = chain.readable_size - self._header
            if FRAME_MIN <= size <= FRAME_MAX:
                self._transmit(chain.gather(self._header, size))
            else:
                self.stats.drops += 1
                self.stats.errors += 1
            self.stats.requests += 1
            queue.push(chain, 0)
        return True

    def _transmit(self, frame: bytes) -> None:
        if not self._link:
            self.stats.drops += 1
            return
        try:
            self._send(frame)
        except OSError:
            self.stats.drops += 1
            self.stats.errors += 1
            return
        self.stats.frames_out += 1
        self.stats.bytes_out += len(frame)
