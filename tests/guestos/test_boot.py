"""Kernels from power-on to power-off, on our machine, in a VM and on QEMU."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from guestos import build, manifest
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine
from toyvm.storage import RawDisk

from .qemu import Board, free_port, needs_qemu, run

Elf = Callable[[str], Path]
#: (console text, exit code) of a guest, with a disk image or without.
Boot = Callable[[str, Path | None], tuple[str, int]]
LIMIT = 300_000_000


def ours(kind: type, own_firmware: bool, elf: Elf) -> Boot:
    def boot(name: str, disk: Path | None) -> tuple[str, int]:
        guest = manifest()[name]
        bios: str | Path = guest.bios
        if own_firmware and bios == "sbi":
            bios = elf("sbi")
        drives = [RawDisk(disk)] if disk else []
        machine = kind(ram=guest.ram, bios=bios, drives=drives)
        machine.load(build(name))
        stop = machine.run(LIMIT)
        assert stop.reason == "exit", stop
        for drive in drives:
            drive.close()
        return machine.console_output.decode(), stop.code

    return boot


def on_qemu(modern: bool, elf: Elf) -> Boot:
    def boot(name: str, disk: Path | None) -> tuple[str, int]:
        bios = elf("sbi") if manifest()[name].bios == "sbi" else None
        return run(Board(elf(name), bios=bios, disk=disk, modern=modern))

    return boot


@pytest.fixture(
    params=[
        "machine",
        "machine-own-firmware",
        "vm",
        "vm-own-firmware",
        pytest.param("qemu", marks=needs_qemu),
        pytest.param("qemu-modern", marks=needs_qemu),
    ]
)
def boot(request: pytest.FixtureRequest, elf: Elf) -> Boot:
    if request.param.startswith("qemu"):
        return on_qemu(request.param.endswith("modern"), elf)
    kind = Vm if request.param.startswith("vm") else Machine
    return ours(kind, request.param.endswith("firmware"), elf)


def test_hello(boot: Boot) -> None:
    assert boot("hello", None) == ("hello from S-mode\n", 0)


def test_firmware_without_a_kernel(boot: Boot) -> None:
    text, code = boot("sbi", None)
    assert text == "sbi: no kernel at 0x80400000: give one with -kernel FILE\n"
    assert code == 2


def test_cpu_computes_what_python_computes(boot: Boot) -> None:
    primes = [n for n in range(2, 65536) if all(n % d for d in range(2, int(n**0.5) + 1))]
    checksum = 0
    for _ in range(57):
        checksum = (checksum * 31 + sum(primes)) & 0xFFFF_FFFF
    last = f"cpu: primes below 65536: {len(primes)}, rounds 57, checksum {checksum:#010x}\n"
    assert boot("cpu", None) == (f"cpu: sieve of Eratosthenes\n{last}", 0)


@pytest.mark.parametrize("name", ["syscalls", "faults", "switches"])
def test_load_kernels_count_right(boot: Boot, name: str) -> None:
    """The program itself checks: calls counted, fresh pages empty, stacks kept apart."""
    assert boot(name, None) == (f"{name}: start\n{name}: done\n", 0)


def lcg(steps: int) -> int:
    """The checksum of a round of the program `count`."""
    value = 0
    for _ in range(steps):
        value = (value * 1664525 + 1013904223) & 0xFFFF_FFFF
    return value


def check_teachos(text: str, code: int) -> None:
    """What teachos says without a network card."""
    assert code == 0
    rounds = re.findall(r"^count: process 2, round (\d), checksum (\d+)$", text, re.M)
    assert rounds == [(str(n), str(lcg(2000))) for n in range(1, 6)]
    assert "ping 10.0.0.2: no network card\n" in text
    for line in ("process 1, ping, ends with code 0", "process 2, count, ends with code 0"):
        assert f"teachos: {line}\n" in text
    done = re.search(r"^teachos: done, .*, (\d+) timer interrupts, (\d+) pages free$", text, re.M)
    assert done
    # Rounds last longer than time slices; a busy host may let QEMU skip most interrupts.
    assert int(done[1]) >= 1
    # 48 pages, less the kernel's root table and two tables of its own: nothing leaks.
    assert int(done[2]) == 45
    assert "panic" not in text


def test_teachos_without_disk_and_card(boot: Boot) -> None:
    text, code = boot("teachos", None)
    check_teachos(text, code)
    assert "teachos: no disk\n" in text


def test_teachos_counts_its_starts_on_the_disk(boot: Boot, disk: Path) -> None:
    untouched = disk.read_bytes()[512:]
    for n in (1, 2):
        text, code = boot("teachos", disk)
        check_teachos(text, code)
        assert f"teachos: disk of 128 sectors, start {n} written and read again\n" in text
        magic, starts, low, high = struct.unpack("<4sIII", disk.read_bytes()[:16])
        assert (magic, starts) == (b"teac", n)
        assert 0 < low | high << 32 < 600 * 10_000_000
    assert disk.read_bytes()[512:] == untouched


def test_appliance_without_anything(boot: Boot) -> None:
    assert boot("appliance", None) == (
        "appliance: M-mode, no paging, 10.0.0.2\n"
        "appliance: no disk, requests are not recorded\n"
        "appliance: no network card\n"
        "appliance: answered 0 echo and 0 ARP requests\n",
        0,
    )


def test_appliance_counts_its_starts(boot: Boot, disk: Path) -> None:
    for n in (1, 2):
        text, code = boot("appliance", disk)
        assert code == 0
        assert f"appliance: disk of 128 sectors, start {n}\n" in text
        assert disk.read_bytes()[:16] == b"appl" + struct.pack("<III", 0, 0, n)


@needs_qemu
@pytest.mark.parametrize("slots", [(0, 1), (7, 0), (3, 6)])
def test_drivers_look_into_every_slot(elf: Elf, disk: Path, slots: tuple[int, int]) -> None:
    port = free_port()
    board = Board(
        elf("teachos"), bios=elf("sbi"), disk=disk, net=f"socket,id=n0,listen=127.0.0.1:{port}",
        disk_slot=slots[0], net_slot=slots[1],
    )  # fmt: skip
    text, code = run(board)
    assert code == 0
    assert "start 1 written and read again\n" in text
    assert re.findall(r"seq (\d) no reply$", text, re.M) == ["1", "2", "3", "4"]


@needs_qemu
def test_other_harts_stay_out_of_the_way(elf: Elf) -> None:
    board = Board(elf("teachos"), bios=elf("sbi"), more=("-smp", "3"))
    check_teachos(*run(board))
    text, code = run(Board(elf("appliance"), more=("-smp", "3")))
    assert code == 0
    assert text.count("appliance: no network card\n") == 1
