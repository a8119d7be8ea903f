"""teachos and appliance together: on two QEMUs joined by a cable, and as two VMs."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guestos import build, manifest
from toyvm.hypervisor import Hypervisor
from toyvm.network import Switch
from toyvm.storage import RawDisk

from .qemu import Board, Qemu, free_port, needs_qemu, wait_for_listener

Elf = Callable[[str], Path]


def check(teachos: tuple[str, int], appliance: tuple[str, int], disks: list[Path]) -> None:
    """Everything that both ends and both disks must show."""
    text, code = teachos
    assert code == 0
    assert re.findall(r"seq (\d) time \d+ ticks", text) == ["1", "2", "3", "4"]
    assert "ping 10.0.0.2: replies 4 of 4\n" in text
    text, code = appliance
    assert code == 0
    assert "appliance: good night from 10.0.0.1\n" in text
    assert "appliance: answered 4 echo and 1 ARP requests; on the disk 4 and 1\n" in text
    first, second = (path.read_bytes() for path in disks)
    assert struct.unpack("<4sI", first[:8]) == (b"teac", 1)
    assert second[:16] == b"appl" + struct.pack("<III", 4, 1, 1)
    blank = hashlib.sha256(bytes(len(first) - 512)).digest()
    assert all(hashlib.sha256(data[512:]).digest() == blank for data in (first, second))


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "teachos.img", tmp_path / "appliance.img"]
    for path in paths:
        path.write_bytes(bytes(64 << 10))
    return paths


@needs_qemu
@pytest.mark.parametrize("modern", [(False, False), (True, True), (False, True)])
def test_two_qemus(elf: Elf, disks: list[Path], modern: tuple[bool, bool]) -> None:
    port = free_port()
    second = Board(
        elf("appliance"),
        disk=disks[1],
        net=f"socket,id=n0,listen=127.0.0.1:{port}",
        mac="52:54:00:00:00:02",
        modern=modern[1],
    )
    first = Board(
        elf("teachos"),
        bios=elf("sbi"),
        disk=disks[0],
        net=f"socket,id=n0,connect=127.0.0.1:{port}",
        mac="52:54:00:00:00:01",
        modern=modern[0],
    )
    with Qemu(second) as appliance:
        wait_for_listener(port, appliance)
        with Qemu(first) as teachos:
            check(teachos.finish(), appliance.finish(), disks)


@pytest.mark.parametrize("virtio", ["legacy", "modern"])
def test_two_vms(disks: list[Path], virtio: str) -> None:
    names = ("teachos", "appliance")
    guests = [manifest()[name] for name in names]
    hypervisor = Hypervisor([guest.ram for guest in guests])
    switch = Switch()
    hypervisor.switches.append(switch)
    drives = [RawDisk(path) for path in disks]
    for index, guest in enumerate(guests):
        port: Any = switch.port(guest.name)
        port.mac = bytes((0x52, 0x54, 0, 0, 0, index + 1))
        vm = hypervisor.create(
            guest.name,
            guest.ram,
            bios=guest.bios,
            drives=[drives[index]],
            nets=[port],
            virtio=virtio,
        )
        vm.load(build(guest.name))
    stops = hypervisor.run(100_000)
    for drive in drives:
        drive.close()
    ends = [(vm.console_output.decode(), stops[vm.name].code) for vm in hypervisor.vms]
    check(ends[0], ends[1], disks)
