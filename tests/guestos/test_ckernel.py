"""A Unix-like kernel made by GCC: the same text and the same disk here, in a VM and on QEMU.

The kernel judges itself; what it says is checked against Python's own figures, and its disk is
read by a parser written from the comment in guestos/c/ckernel/fs.c.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guestos.images import build
from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.storage import RawDisk

from .qemu import Board, needs_gcc, needs_qemu, run

LIMIT = 60_000_000
PROMPT = b"init: Enter starts a shell\n"
Boot = Callable[[Path | None], tuple[str, int]]


def on_ours(kind: type, virtio: str, image: object = None) -> Boot:
    def boot(disk: Path | None) -> tuple[str, int]:
        drives = [RawDisk(disk)] if disk else []
        machine = kind(ram=16 << 20, bios="none", drives=drives, virtio=virtio)
        machine.load(image or build("ckernel"))
        stop = machine.run(LIMIT)
        assert stop.reason == "exit", stop
        assert not machine.errors
        for drive in drives:
            drive.close()
        return machine.console_output.decode(), stop.code

    return boot


def on_qemu(elf: Path, modern: bool, more: tuple[str, ...] = ()) -> Boot:
    def boot(disk: Path | None) -> tuple[str, int]:
        text, code = run(Board(elf, disk=disk, modern=modern, more=more))
        return text.replace("\r", ""), code

    return boot


def two_boots(boot: Boot, disk: Path) -> tuple[list[str], bytes]:
    """The texts of two boots of one disk, and the disk."""
    disk.write_bytes(bytes(64 << 10))
    texts = []
    for _ in range(2):
        text, code = boot(disk)
        assert code == 0, text
        texts.append(text)
    return texts, disk.read_bytes()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], bytes]:
    return two_boots(on_ours(Machine, "legacy"), tmp_path_factory.mktemp("bare") / "disk.img")


def primes(limit: int) -> int:
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))


def test_what_it_says(bare: tuple[list[str], bytes]) -> None:
    number = 1
    for boot, text in enumerate(bare[0], 1):
        assert "FAILED" not in text
        assert "panic" not in text
        for process, limit in ((2, 1000), (3, 5000), (4, 20000)):
            assert f"init: process {process}: {primes(limit)} primes below {limit}\n" in text
        assert text.count(": ended\n") == 11
        number = (number * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        assert f"init: record {boot}, mark beef, number {number}\n" in text
        assert text.endswith(f"ckernel: init ends with code 0, {boot} boots on this disk\n")
    assert "ckernel: new file system\n" in bare[0][0]
    assert "ckernel: new file system\n" not in bare[0][1]


def files(disk: bytes) -> dict[str, bytes]:
    """The files of a ckfs disk."""
    magic, _, count, stored = struct.unpack_from("<8sIII", disk)
    assert magic == b"ckfs 1\n\0"
    sum_ = 0x12345678
    for byte in disk[:16]:
        sum_ = (sum_ << 5 | sum_ >> 27) & 0xFFFF_FFFF ^ byte
    assert stored == sum_
    found = {}
    for i in range(count):
        name, start, length, _ = struct.unpack_from("<20sIII", disk, 512 + 32 * i)
        found[name.rstrip(b"\0").decode()] = disk[512 * start : 512 * start + length]
    return found


def test_what_is_on_the_disk(bare: tuple[list[str], bytes]) -> None:
    number = 1
    for _ in range(2):
        number = (number * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    assert struct.unpack_from("<I", bare[1], 8) == (2,)
    assert files(bare[1]) == {
        "log": b"boot 01........\nboot 02........\n",
        "record": struct.pack("<BIHQ", 1, 2, 0xBEEF, number),
    }


@pytest.mark.parametrize(
    "where",
    [
        "machine-modern",
        "vm-legacy",
        "vm-modern",
        pytest.param("qemu-legacy", marks=needs_qemu),
        pytest.param("qemu-modern", marks=needs_qemu),
        pytest.param("qemu-smp", marks=needs_qemu),
    ],
)
def test_the_same_everywhere(
    where: str,
    bare: tuple[list[str], bytes],
    elf: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    host, virtio = where.split("-")
    if host == "qemu":
        more = ("-smp", "3") if virtio == "smp" else ()
        boot = on_qemu(elf("ckernel"), virtio == "modern", more)
    else:
        boot = on_ours(Vm if host == "vm" else Machine, virtio)
    assert two_boots(boot, tmp_path / "disk.img") == bare


def test_without_a_disk() -> None:
    text, code = on_ours(Vm, "legacy")(None)
    assert code == 0
    assert "ckernel: no disk\n" in text
    assert "init: no files\n" in text


# ---- the shell: characters arrive by interrupt ---------------------------------------------------

LINES = b"\nput note one two\nput note three\ncat note\nls\nprimes 100\nnothing\nfault j\nexit\n"
ANSWER = [
    "one two",
    "three",
    "log                 16",
    "record              15",
    "note                14",
    "sh: primes ends with code 25",
    "sh: nothing ends with code -1",
    "ckernel: process 22 (fault): fetch page fault, page 0x30000000: ended",
    "sh: fault ends with code -1",
]


def shell_on_ours(kind: type, disk: Path) -> str:
    with_drive = RawDisk(disk)
    machine = kind(ram=16 << 20, bios="none", drives=[with_drive])
    machine.load(build("ckernel"))
    while PROMPT not in machine.console_output:
        assert machine.run(200_000).reason == "budget"
    machine.feed(LINES)
    assert machine.run(LIMIT).reason == "exit"
    with_drive.close()
    return machine.console_output.decode()


def shell_on_qemu(kernel: Path, disk: Path) -> str:
    command = Board(kernel, disk=disk).command()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    output, fed, end = b"", False, time.monotonic() + 60
    try:
        while time.monotonic() < end and process.poll() is None:
            if select.select([process.stdout], [], [], 0.2)[0]:
                output += os.read(process.stdout.fileno(), 4096)
            if not fed and PROMPT in output:
                process.stdin.write(LINES)
                process.stdin.flush()
                fed = True
        output += process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    return output.decode().replace("\r", "")


@pytest.mark.parametrize("where", ["machine", "vm", pytest.param("qemu", marks=needs_qemu)])
def test_a_shell(where: str, elf: Callable[[str], Path], tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(64 << 10))
    if where == "qemu":
        text = shell_on_qemu(elf("ckernel"), disk)
    else:
        text = shell_on_ours(Vm if where == "vm" else Machine, disk)
    lines = [line for line in text.partition(PROMPT.decode())[2].splitlines() if line != "$ "]
    assert [line for line in lines if not line.startswith(("init:", "ckernel: init"))] == ANSWER
    assert files(disk.read_bytes())["note"] == b"one two\nthree\n"


# ---- built again ---------------------------------------------------------------------------------


@needs_gcc
def test_built_again_it_does_the_same(
    rebuilt: Path, bare: tuple[list[str], bytes], tmp_path: Path
) -> None:
    boot = on_ours(Machine, "legacy", rebuilt / "ckernel.elf")
    assert two_boots(boot, tmp_path / "disk.img") == bare
