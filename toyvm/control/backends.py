"""From specs to live backends: opened disks and plugged-in network cables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from toyvm.network import NetBackend, PcapWriter, Port, SocketPeer, parse_mac
from toyvm.storage import Disk, MemoryDisk, RawDisk

from .specs import DriveSpec, NetSpec
from .wire import WireCount


class PortMaker(Protocol):
    """A switch, as far as a cable is concerned."""

    def port(self, name: str) -> Port: ...


def open_drive(spec: DriveSpec) -> Disk:
    """Open the disk of `spec`; DiskError says what is wrong with its file."""
    if spec.kind == "temp":
        if spec.path is None:
            return MemoryDisk(spec.size, name=spec.describe())
        original = RawDisk(spec.path, read_only=True)
        try:
            return MemoryDisk(original.read(0, original.sectors), name=spec.describe())
        finally:
            original.close()
    assert spec.path is not None
    return RawDisk(spec.path, read_only=spec.read_only)


class Card:
    """One network card's end of a cable: its address, what the cable leads to, and a capture.

    Without a backend the cable hangs loose: frames sent are counted and lost.
    """

    def __init__(
        self,
        backend: NetBackend | None,
        mac: bytes | None = None,
        capture: PcapWriter | None = None,
    ) -> None:
        self.backend = backend
        self.mac = mac
        self.capture = capture
        self.now_ns: Callable[[], int] = lambda: 0
        """Guest time in nanoseconds, for the capture."""
        self.lost = 0
        self.sent = WireCount()
        """What the guest sent."""
        self.on_frame: Callable[[bytes], None] | None = None
        if backend is not None:
            backend.on_frame = self._arrive

    def _record(self, frame: bytes) -> None:
        if self.capture is not None:
            self.capture.write(frame, self.now_ns())

    def _arrive(self, frame: bytes) -> None:
        self._record(frame)
        if self.on_frame is not None:
            self.on_frame(frame)

    def send(self, frame: bytes) -> None:
        """Take a frame that the guest sent."""
        self.sent.see(frame)
        self._record(frame)
        if self.backend is None:
            self.lost += 1
        else:
            self.backend.send(frame)

    def poll(self) -> int:
        """Hand over what has arrived; the number of frames."""
        return 0 if self.backend is None else self.backend.poll()

    def close(self) -> None:
        """Pull the cable and finish the capture."""
        if self.backend is not None:
            self.backend.close()
        if self.capture is not None:
            self.capture.close()

    def fileno(self) -> int:
        """The descriptor to wait at for frames from another process; -1 if there is none."""
        return self.backend.fileno() if isinstance(self.backend, SocketPeer) else -1

    @property
    def remote(self) -> bool:
        """True when frames may arrive from outside of this process."""
        return isinstance(self.backend, SocketPeer)


def open_net(
    spec: NetSpec, mac: bytes, name: str = "", switches: Mapping[str, PortMaker] | None = None
) -> Card:
    """Plug in a card with address `mac` unless the spec has its own.

    `switches` are the lab's, by name; `name` names the port. PeerError if a remote peer cannot
    be reached, OSError if the capture file cannot be written.
    """
    capture = None if spec.pcap is None else PcapWriter(spec.pcap)
    address = parse_mac(spec.mac) if spec.mac else mac
    if spec.kind == "none":
        return Card(None, address, capture)
    if spec.kind == "switch":
        assert switches is not None
        return Card(switches[spec.switch].port(name), address, capture)
    return Card(SocketPeer(spec.host, spec.port, listen=spec.kind == "listen"), address, capture)


def lab_mac(index: int) -> bytes:
    """The address of the lab's network card number `index`: 52:54:00:12:34:56 and upwards."""
    return (0x5254_0012_3456 + index).to_bytes(6, "big")
