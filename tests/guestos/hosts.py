"""A guest with its network cable in the test's hand: on our machine or on QEMU."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from guestos import build, manifest
from toyvm.machine import Machine
from toyvm.storage import RawDisk

from .qemu import Board, Qemu, free_port

SLICE = 50_000
LIMIT = 200_000_000


class Cable:
    """A network backend that keeps what the guest sends and delivers at the next slice."""

    mac = bytes((0x52, 0x54, 0, 0x12, 0x34, 0x56))
    on_frame: Callable[[bytes], None] | None = None

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.waiting: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def poll(self) -> int:
        assert self.on_frame is not None
        frames, self.waiting = self.waiting, []
        for frame in frames:
            self.on_frame(frame)
        return len(frames)

    def close(self) -> None:
        pass


class Host(Protocol):
    """A running guest; ``mac`` is its card's address."""

    mac: bytes

    def send(self, frame: bytes) -> None: ...
    def receive(self, seconds: float = 10.0) -> bytes | None:
        """The next frame that the guest sends; None if it sends none for so long, or has ended."""

    def finish(self) -> tuple[str, int]:
        """(console text, exit code) once it has ended."""

    def close(self) -> None: ...


class OurHost:
    """The guest on our bare machine; seconds are the guest's."""

    def __init__(self, guest: str, disk: Path, virtio: str) -> None:
        self.cable = Cable()
        self.mac = self.cable.mac
        self.disk = RawDisk(disk)
        entry = manifest()[guest]
        self.machine = Machine(
            ram=entry.ram, bios=entry.bios, drives=[self.disk], nets=[self.cable], virtio=virtio
        )
        self.machine.load(build(guest))

    def send(self, frame: bytes) -> None:
        self.cable.waiting.append(frame)

    def receive(self, seconds: float = 10.0) -> bytes | None:
        end = self.machine.mtime() + int(seconds * 10_000_000)
        while not self.cable.sent and self.machine.stopped is None:
            if self.machine.mtime() >= end:
                return None
            self.machine.run(SLICE, idle=SLICE)
        return self.cable.sent.pop(0) if self.cable.sent else None

    def finish(self) -> tuple[str, int]:
        while self.machine.stopped is None:
            assert self.machine.steps < LIMIT, self.machine.console_output.decode()
            self.machine.run(SLICE, idle=100 * SLICE)
        assert self.machine.stopped.reason == "exit", self.machine.stopped
        self.disk.close()
        return self.machine.console_output.decode(), self.machine.stopped.code

    def close(self) -> None:
        self.disk.close()


class QemuHost:
    """The guest on QEMU, its card behind two UDP ports."""

    mac = Cable.mac

    def __init__(self, kernel: Path, bios: Path | None, disk: Path, virtio: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        ours = self._socket.getsockname()[1]
        theirs = free_port(socket.SOCK_DGRAM)
        self._peer = ("127.0.0.1", theirs)
        net = f"socket,id=n0,udp=127.0.0.1:{ours},localaddr=127.0.0.1:{theirs}"
        self._qemu = Qemu(Board(kernel, bios=bios, disk=disk, net=net, modern=virtio == "modern"))

    def send(self, frame: bytes) -> None:
        self._socket.sendto(frame, self._peer)

    def receive(self, seconds: float = 10.0) -> bytes | None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._socket.settimeout(0.2)
            try:
                return self._socket.recv(4096)
            except TimeoutError:
                if not self._qemu.running:
                    return None
        return None

    def finish(self) -> tuple[str, int]:
        return self._qemu.finish()

    def close(self) -> None:
        self._socket.close()
        self._qemu.__exit__()
