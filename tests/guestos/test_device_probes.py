"""Probes of devices tell what they read: the same bare, in a VM and on QEMU, both transports."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from guestos import build
from toyvm.control.backends import Card
from toyvm.devices.virtio_console import VirtioConsole
from toyvm.devices.virtio_rng import VirtioRng
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine
from toyvm.network import parse_mac
from toyvm.storage import MemoryDisk

from .qemu import Board, needs_qemu, run

PROBES = [
    *("probe-uart", "probe-plic", "probe-clint", "probe-rtc", "probe-finisher"),
    *("probe-blk", "probe-net", "probe-console", "probe-rng", "probe-devicetree"),
]
MAC = "52:54:00:12:34:56"
LINES = {
    # What a probe must at least have said: a probe that finds nothing to say is no probe.
    "probe-rtc": 16,
    "probe-finisher": 10,
    "probe-net": 20,
    "probe-console": 10,
    "probe-rng": 12,
    "probe-devicetree": 60,
}
LAYOUTS = pytest.mark.parametrize("virtio", ["legacy", "modern"])


@cache
def ours(name: str, kind: type, virtio: str) -> tuple[str, int, bytes]:
    """(console, exit code, what went through the virtio console)."""
    put = bytearray()
    machine = kind(
        ram=16 << 20,
        bios="none",
        drives=[MemoryDisk(64 << 10)],
        nets=[Card(None, parse_mac(MAC))],
        devices=[VirtioConsole(put.extend), VirtioRng()],
        virtio=virtio,
    )
    machine.load(build(name))
    stop = machine.run(20_000_000)
    assert stop.reason == "exit", stop
    return machine.console_output.decode(), stop.code, bytes(put)


@LAYOUTS
@pytest.mark.parametrize("name", PROBES)
def test_bare_and_virtualised(name: str, virtio: str) -> None:
    text, code, put = ours(name, Machine, virtio)
    title = name.replace("-", " ")
    assert (text.splitlines()[-1], code) == (f"{title}: ok", 0)
    assert len(text.splitlines()) >= LINES.get(name, 1)
    assert put == (b"Ea line, and \xc3\xa4\n" if name == "probe-console" else b"")
    assert ours(name, Vm, virtio) == (text, code, put)


@needs_qemu
@LAYOUTS
@pytest.mark.parametrize("name", PROBES)
def test_on_qemu(
    name: str, virtio: str, elf: Callable[[str], Path], disk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "console"
    more = ["-device", "virtio-serial-device,bus=virtio-mmio-bus.2"]
    more += ["-chardev", f"file,id=c0,path={out}", "-device", "virtconsole,chardev=c0"]
    more += ["-device", "virtio-rng-device,bus=virtio-mmio-bus.3"]
    board = Board(
        elf(name),
        disk=disk,
        net="socket,id=n0,listen=127.0.0.1:0",
        mac=MAC,
        modern=virtio == "modern",
        more=more,
    )
    text, code = run(board)
    assert (text, code, out.read_bytes()) == ours(name, Machine, virtio)


@pytest.mark.parametrize("name", ["probe-net", "probe-console", "probe-rng"])
def test_without_the_device(name: str) -> None:
    machine = Machine(ram=16 << 20, bios="none")
    machine.load(build(name))
    assert machine.run(1_000_000).code == 0
    assert machine.console_output.decode() == f"no device\n{name.replace('-', ' ')}: ok\n"
