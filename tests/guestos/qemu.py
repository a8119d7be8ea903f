"""QEMU's ``virt`` board as an independent machine for our guests.

Every run has a time limit and is killed at its end.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

QEMU = "qemu-system-riscv32"
SECONDS = 60.0

needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"{QEMU} is not installed; no board to compare with"
)

GCC = "riscv64-unknown-elf-gcc"
needs_gcc = pytest.mark.skipif(
    shutil.which(GCC) is None or shutil.which("make") is None,
    reason=f"{GCC} or make is not installed; the C guests cannot be built again",
)


@dataclass
class Board:
    """How to start QEMU.  ``net`` is what follows ``-netdev ``, with the id ``n0``."""

    kernel: Path
    bios: Path | None = None
    disk: Path | None = None
    net: str = ""
    mac: str = "52:54:00:12:34:56"
    modern: bool = False
    disk_slot: int = 0
    net_slot: int = 1
    ram: str = "16M"
    more: Sequence[str] = field(default_factory=tuple)

    def command(self) -> list[str]:
        words = [QEMU, "-M", "virt", "-m", self.ram, "-display", "none", "-monitor", "none"]
        words += ["-serial", "stdio", "-no-reboot", "-bios", str(self.bios or "none")]
        words += ["-kernel", str(self.kernel)]
        if self.modern:
            words += ["-global", "virtio-mmio.force-legacy=false"]
        if self.disk:
            words += ["-drive", f"file={self.disk},format=raw,id=d0,if=none"]
            words += ["-device", f"virtio-blk-device,drive=d0,bus=virtio-mmio-bus.{self.disk_slot}"]
        if self.net:
            words += ["-netdev", self.net]
            device = f"virtio-net-device,netdev=n0,mac={self.mac}"
            words += ["-device", f"{device},bus=virtio-mmio-bus.{self.net_slot}"]
        return [*words, *self.more]


class Qemu:
    """A running QEMU; a context manager that leaves none behind."""

    def __init__(self, board: Board) -> None:
        self._process = subprocess.Popen(
            board.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def finish(self, seconds: float = SECONDS) -> tuple[str, int]:
        """(console text, exit status) once it has ended; the test fails if it does not."""
        try:
            output, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
            pytest.fail(f"QEMU did not end within {seconds} s; console:\n{output.decode()}")
        return output.decode(), self._process.returncode


def run(board: Board) -> tuple[str, int]:
    """(console text, exit status) of a whole run."""
    with Qemu(board) as machine:
        return machine.finish()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_listener(port: int, machine: Qemu) -> None:
    """Return when somebody listens at the port, without connecting to it."""
    wanted = f"0100007F:{port:04X}"
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit and machine.running:
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        if any(row.split()[1] == wanted and row.split()[3] == "0A" for row in rows):
            return
        time.sleep(0.02)
    pytest.fail(f"QEMU does not listen on port {port}")
