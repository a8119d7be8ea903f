"""Guests as files, and hosts to run them on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestos import build
from guestos.images import root

from .hosts import Host, OurHost, QemuHost
from .qemu import QEMU

DISK_BYTES = 64 << 10


@pytest.fixture(scope="session")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A guest's ELF file, made by our assembler."""
    folder = tmp_path_factory.mktemp("guests")

    def path_of(name: str) -> Path:
        path = folder / f"{name}.elf"
        if not path.exists():
            path.write_bytes(build(name).to_elf())
        return path

    return path_of


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the C guests' ELF files, built now by GCC without a warning."""
    out = tmp_path_factory.mktemp("built")
    make = ["make", "-s", "-C", str(root() / "c"), f"OUT={out}"]
    done = subprocess.run(make, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return out


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An empty disk image."""
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(DISK_BYTES))
    return path


@pytest.fixture(params=["ours-legacy", "ours-modern", "qemu-legacy", "qemu-modern"])
def start(
    request: pytest.FixtureRequest, elf: Callable[[str], Path], disk: Path
) -> Iterator[Callable[[str], Host]]:
    """Start a guest whose network cable the test holds, on each machine and transport."""
    where, virtio = request.param.split("-")
    hosts: list[Host] = []

    def make(name: str) -> Host:
        host: Host
        if where == "ours":
            host = OurHost(name, disk, virtio)
        elif shutil.which(QEMU) is None:
            pytest.skip(f"{QEMU} is not installed; no board to compare with")
        else:
            bios = None if name == "appliance" else elf("sbi")
            host = QemuHost(elf(name), bios, disk, virtio)
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.close()
