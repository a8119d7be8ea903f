"""A learning Ethernet switch for virtual machines.

Frames sent to the switch wait in a queue at each receiver and arrive when that queue is delivered,
so the order of frames depends on nothing but the order of sends and deliveries.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from toyvm.network.mac import is_group
from toyvm.network.pcap import PcapWriter

FRAME_MIN: Final = 14
FRAME_MAX: Final = 1518
"""Shortest and longest frame that the switch forwards, without checksum."""
QUEUE_MAX: Final = 1024
"""Frames that wait at one receiver; more are dropped there."""
TABLE_MAX: Final = 1024
"""Addresses that the switch remembers; the one heard longest ago is forgotten first."""
SENT_MAX: Final = 16384
"""Frames that one port may send between two deliveries: the speed of the wire."""

_thread = threading.local()


@contextmanager
def sender(name: str) -> Iterator[None]:
    """While this is open, what this thread sends is sent by the machine called ``name``."""
    _thread.sender = name
    try:
        yield
    finally:
        _thread.sender = None


@dataclass(slots=True)
class PortStats:
    """Counters of one port.  "In" came from the card, "out" was handed to it."""

    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    bytes_out: int = 0
    drops: int = 0
    """Frames from this port that were malformed or too many, and frames for it that found its
    queue full."""

    def as_dict(self) -> dict[str, int]:
        """The counters by name, for JSON reports."""
        return asdict(self)


class Port:
    """One socket of a switch; made by :meth:`Switch.port`."""

    def __init__(self, switch: Switch, name: str) -> None:
        self._switch = switch
        self._queue: deque[bytes] = deque()
        self._sent = 0
        self.name = name
        self.stats = PortStats()
        self.on_frame: Callable[[bytes], None] | None = None
        """The card at this port; frames that arrive while it is None are dropped, counted."""
        self.up = True
        """False after :meth:`close`: the port neither sends nor receives."""

    @property
    def waiting(self) -> int:
        """Frames queued for this port."""
        return len(self._queue)

    def send(self, frame: bytes) -> None:
        """A frame from the card into the switch."""
        self._sent += 1
        if self._sent > SENT_MAX:
            self.stats.drops += 1
            return
        self._switch.forward(self, frame)

    def refresh(self) -> None:
        """The wire is free again: SENT_MAX more frames may be sent."""
        self._sent = 0

    def enqueue(self, frame: bytes) -> None:
        """A frame from the switch for the card; dropped and counted if the queue is full."""
        if len(self._queue) >= QUEUE_MAX or not self.up:
            self.stats.drops += 1
            return
        self._queue.append(frame)

    def poll(self) -> int:
        """Hand over the frames that wait now; returns how many.

        Frames that a receiver's answer adds wait for the next call, so one call always ends.
        """
        return self.poll_some(len(self._queue))

    def poll_some(self, count: int) -> int:
        """Hand over the first ``count`` frames, or as many as wait; returns how many."""
        count = min(count, len(self._queue))
        for _ in range(count):
            frame = self._queue.popleft()
            if self.on_frame is None:
                self.stats.drops += 1
                continue
            self.stats.frames_out += 1
            self.stats.bytes_out += len(frame)
            self.on_frame(frame)
        return count

    def close(self) -> None:
        """Unplug the port: what waits is dropped, its addresses are forgotten."""
        self.up = False
        self.stats.drops += len(self._queue)
        self._queue.clear()
        self._switch.forget(self)


class Switch:
    """A switch without a fixed number of ports.

    ``capture`` gets every frame that a port sends, once, with the time ``now_ns()`` (guest time in
    nanoseconds).
    """

    def __init__(
        self,
        name: str = "switch",
        now_ns: Callable[[], int] = lambda: 0,
        capture: PcapWriter | None = None,
    ) -> None:
        self.name = name
        self.now_ns = now_ns
        self.capture = capture
        self.ports: dict[str, Port] = {}
        self.timekeeper = ""
        """The machine whose clock ``now_ns`` is."""
        self._table: OrderedDict[bytes, Port] = OrderedDict()
        self._held: dict[str, list[tuple[Port, bytes, int | None]]] | None = None

    @contextmanager
    def holding(self, order: Sequence[str]) -> Iterator[None]:
        """While this is open, hold back what machines send; then forward it machine by machine.

        Machines that run on threads side by side (see :func:`sender`) so leave the switch as if
        they had run one after the other in this order.
        """
        self._held = {name: [] for name in order}
        try:
            yield
        finally:
            held, self._held = self._held, None
            for frames in held.values():
                for source, frame, at in frames:
                    self._forward(source, frame, at)

    @property
    def table(self) -> dict[bytes, str]:
        """Learned addresses with the names of their ports, longest silent first."""
        return {mac: port.name for mac, port in self._table.items()}

    def port(self, name: str) -> Port:
        """Add a port.  Raises ValueError if the name is taken."""
        if name in self.ports:
            raise ValueError(f"{self.name}: port {name!r} exists already; choose another name")
        self.ports[name] = Port(self, name)
        return self.ports[name]

    def forward(self, source: Port, frame: bytes) -> None:
        """Learn where the sender is and queue the frame at its receivers."""
        who = getattr(_thread, "sender", None)
        if self._held is not None and who in self._held:
            at = self.now_ns() if who == self.timekeeper else None
            self._held[who].append((source, frame, at))
            return
        self._forward(source, frame, None)

    def _forward(self, source: Port, frame: bytes, at: int | None) -> None:
        """Forward a frame that was sent at guest time ``at`` in nanoseconds; None is now."""
        sender = frame[6:12]
        if not source.up or not FRAME_MIN <= len(frame) <= FRAME_MAX or is_group(sender):
            source.stats.drops += 1
            return
        source.stats.frames_in += 1
        source.stats.bytes_in += len(frame)
        if self.capture:
            self.capture.write(frame, self.now_ns() if at is None else at)
        self._learn(sender, source)
        receiver = self._table.get(frame[:6])
        if receiver is not None:
            # A frame for an address on the sender's own side has already been where it belongs.
            if receiver is not source:
                receiver.enqueue(frame)
            return
        for port in self.ports.values():
            if port is not source and port.up:
                port.enqueue(frame)

    def _learn(self, mac: bytes, port: Port) -> None:
        self._table[mac] = port
        self._table.move_to_end(mac)
        if len(self._table) > TABLE_MAX:
            self._table.popitem(last=False)

    def forget(self, port: Port) -> None:
        """Drop every address learned at ``port``."""
        for mac in [mac for mac, at in self._table.items() if at is port]:
            del self._table[mac]

    def deliver(self) -> int:
        """Hand all waiting frames to their receivers, ports in the order they were made.

        Returns the number of frames.  Frames sent meanwhile wait for the next call.
        """
        waiting = [(port, port.waiting) for port in self.ports.values()]
        for port, _ in waiting:
            port.refresh()
        return sum(port.poll_some(count) for port, count in waiting)
