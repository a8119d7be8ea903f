"""virtio network device (VIRTIO 1.2, section 5.1): a receive, a transmit and a control queue.

No offloads are offered, so every frame is whole.  With VIRTIO_NET_F_MRG_RXBUF a frame may be spread
over several receive buffers.  As on QEMU the card is promiscuous until the driver says otherwise
through the control queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from toyvm.devices.virtio import F_VERSION_1, ID_NET, VirtioDevice
from toyvm.devices.virtio_net_control import ACK_ERROR, ACK_OK, COMMAND_MAX, ReceiveFilter
from toyvm.devices.virtqueue import Chain, RingError, VirtQueue

F_MAC: Final = 1 << 5
F_MRG_RXBUF: Final = 1 << 15
F_STATUS: Final = 1 << 16
F_CTRL_VQ: Final = 1 << 17
F_CTRL_RX: Final = 1 << 18
F_CTRL_VLAN: Final = 1 << 19
F_CTRL_RX_EXTRA: Final = 1 << 20
F_CTRL_MAC_ADDR: Final = 1 << 23
S_LINK_UP: Final = 1

RX: Final = 0
TX: Final = 1
CONTROL: Final = 2

HEADER_LEGACY: Final = 10
HEADER_MODERN: Final = 12
"""Length of the header in front of each frame: 12 with VIRTIO_F_VERSION_1 or merged buffers, else
10."""
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
    queue_count = 3

    def __init__(self, mac: bytes, send: Callable[[bytes], None]) -> None:
        if len(mac) != 6:
            raise ValueError(f"MAC address of {len(mac)} bytes: expected 6")
        super().__init__()
        self.filter = ReceiveFilter(bytes(mac))
        self._send = send
        self._link = True
        self._backlog: deque[bytes] = deque()

    @property
    def offered(self) -> int:
        control = F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | F_CTRL_RX_EXTRA | F_CTRL_MAC_ADDR
        return F_MAC | F_STATUS | F_MRG_RXBUF | control

    @property
    def mac(self) -> bytes:
        """The card's address: its own, or the one that the driver gave it."""
        return self.filter.mac

    def config(self) -> bytes:
        return self.mac + (S_LINK_UP if self._link else 0).to_bytes(2, "little")

    def reset(self) -> None:
        self._backlog.clear()
        self.filter.reset(False)

    def write_config(self, offset: int, data: bytes) -> None:
        # Section 5.1.4.2: a legacy driver may set the address so; with the command it must not.
        transport = self.transport
        if transport is None or transport.features & (F_VERSION_1 | F_CTRL_MAC_ADDR):
            return
        if offset >= 0 and offset + len(data) <= len(self.mac):
            mac = self.mac
            self.filter.mac = mac[:offset] + data + mac[offset + len(data) :]

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
        long = F_VERSION_1 | F_MRG_RXBUF
        modern = self.transport is not None and self.transport.features & long
        return HEADER_MODERN if modern else HEADER_LEGACY

    @property
    def _merges(self) -> bool:
        return self.transport is not None and bool(self.transport.features & F_MRG_RXBUF)

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
        if not self.filter.wants(frame):
            return
        self._backlog.append(bytes(frame))
        transport.service(RX)

    def process(self, index: int, queue: VirtQueue) -> bool:
        if index == RX:
            self._fill(queue)
            return False
        return self._drain(queue) if index == TX else self._obey(queue)

    def negotiated(self) -> None:
        """The driver has chosen its features."""
        if self.transport is not None:
            self.filter.reset(bool(self.transport.features & F_CTRL_VLAN))

    def _fill(self, queue: VirtQueue) -> None:
        """Put waiting frames into receive buffers while there are both."""
        while self._backlog:
            frame = self._backlog[0]
            parts = self._take(queue, self._header + len(frame))
            if parts is None:
                return
            if not parts:
                # Too small for this frame, perhaps not for the next: the buffers stay available.
                self._backlog.popleft()
                self.stats.drops += 1
                self.stats.errors += 1
                continue
            # The flags and sizes are zero without offloads (section 5.1.6.4.1).
            count = b"" if self._header == HEADER_LEGACY else len(parts).to_bytes(2, "little")
            packet = bytes(HEADER_LEGACY) + count + frame
            done = []
            for chain in parts:
                piece, packet = packet[: chain.writable_size], packet[chain.writable_size :]
                chain.scatter(0, piece)
                done.append((chain, len(piece)))
            queue.push_all(done)
            self._backlog.popleft()
            self.stats.requests += len(done)
            self.stats.frames_in += 1
            self.stats.bytes_in += len(frame)

    def _take(self, queue: VirtQueue, size: int) -> list[Chain] | None:
        """Chains with room for ``size`` bytes: one, or several if the driver merges.

        None if the driver must make more available first; empty if its buffers will never do.
        """
        parts: list[Chain] = []
        room = 0
        while room < size:
            chain = queue.pop()
            if chain is None:
                queue.put_back(len(parts))
                return None
            parts.append(chain)
            room += chain.writable_size
            # Section 5.1.6.3.2: a merged buffer holds at least the header.
            useless = not self._merges or chain.writable_size < self._header
            if room < size and (useless or len(parts) == queue.size):
                queue.put_back(len(parts))
                return []
        return parts

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

    def _obey(self, queue: VirtQueue) -> bool:
        """Do the driver's commands; True if more is left."""
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            if not chain.writable_size:
                raise RingError(f"command {chain.head} has no room for its answer")
            short = chain.readable_size <= COMMAND_MAX
            done = short and self.filter.command(chain.gather(0, COMMAND_MAX))
            chain.scatter(0, bytes([ACK_OK if done else ACK_ERROR]))
            self.stats.requests += 1
            self.stats.errors += not done
            queue.push(chain, 1)
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
