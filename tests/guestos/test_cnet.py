"""An S-mode kernel and a firmware made by GCC: the same text and packets here, in a VM, on QEMU.

The kernel finds the board in the device tree that each machine hands over; the firmware below it is
the built-in one, `sbi` in assembly, or `cfirm` in C.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guestos import build
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

from .frames import (
    BROADCAST,
    ECHO_REPLY,
    ECHO_REQUEST,
    ICMP,
    TYPE_ARP,
    TYPE_IP,
    UDP,
    arp,
    checksum,
    ethernet,
    icmp,
    ipv4,
    parse_ip,
    udp,
)
from .hosts import SLICE, Cable, QemuHost
from .qemu import QEMU, Board, needs_gcc, needs_qemu, run

LIMIT = 20_000_000
BANNER = "cfirm: SBI 1.0, kernel at 0x80400000\n"
FIRMWARES = ("builtin", "sbi", "cfirm")
US, ITS_IP, OUR_IP = bytes.fromhex("02005e10aa02"), "10.0.0.3", "10.0.0.2"


def checksum_of_the_loop() -> int:
    """What the user program of cnet computes."""
    value = 0
    for n in range(1, 300_001):
        value = (value << 5 | value >> 27) & 0xFFFF_FFFF ^ n
    return value


def expected(harts: int, ram: int = 16) -> str:
    return (
        f"cnet: RAM 0x80000000, {ram} MiB; {harts} hart{'s' * (harts > 1)}, clock 10000000 Hz\n"
        "cnet: uart 0x10000000 irq 10, plic 0x0c000000, 8 virtio slots\n"
        "cnet: arguments: one two\n"
        "cnet: SBI 1\n"
        + (f"cnet: {harts - 1} other harts counted to {1000 * (harts - 1)}\n" * (harts > 1))
        + "cnet: five timer interrupts took at least 4 ms: yes\n"
        "user: hello from U-mode\n"
        f"cnet: the user program ends with {checksum_of_the_loop():#010x}, interrupted by the "
        "timer: yes\n"
        "cnet: no network card\n"
        "cnet: done\n"
    )


def firmware(name: str) -> Any:
    return "sbi" if name == "builtin" else build(name)


def computer(kind: str, harts: int = 1, **options: Any) -> Machine | Vm:
    if kind == "vm":
        return Vm(ram=16 << 20, vcpus=harts, **options)
    return Machine(ram=16 << 20, harts=harts, **options)


@pytest.mark.parametrize("harts", [1, 3])
@pytest.mark.parametrize("bios", FIRMWARES)
@pytest.mark.parametrize("kind", ["machine", "vm"])
def test_boots(kind: str, bios: str, harts: int) -> None:
    machine = computer(kind, harts, bios=firmware(bios), append="one two")
    machine.load(build("cnet"))
    stop = machine.run(LIMIT)
    assert (stop.reason, stop.code) == ("exit", 0)
    assert not machine.errors
    text = machine.console_output.decode()
    assert text == BANNER * (bios == "cfirm") + expected(harts)


@pytest.mark.parametrize("turn", [10, 10_000_000])
@pytest.mark.parametrize("bios", FIRMWARES)
def test_firmware_knows_harts_that_come_late(bios: str, turn: int) -> None:
    """Hart 0 may be far ahead of the others, as on a busy host under QEMU, or in step."""
    machine = computer("machine", 3, bios=firmware(bios), append="one two")
    machine.turn = turn
    machine.load(build("cnet"))
    stop = machine.run(2 * LIMIT)
    assert (stop.reason, stop.code) == ("exit", 0), machine.console_output
    assert machine.console_output.decode() == BANNER * (bios == "cfirm") + expected(3)


@needs_gcc
@pytest.mark.parametrize("kind", ["machine", "vm"])
def test_built_again_they_do_the_same(kind: str, rebuilt: Path) -> None:
    machine = computer(kind, bios=rebuilt / "cfirm.elf", append="one two")
    machine.load(rebuilt / "cnet.elf")
    assert machine.run(LIMIT).reason == "exit"
    assert machine.console_output.decode() == BANNER + expected(1)


@needs_qemu
@pytest.mark.parametrize("harts", [1, 3])
@pytest.mark.parametrize("bios", ["sbi", "cfirm"])
def test_boots_on_qemu(bios: str, harts: int, elf: Callable[[str], Path]) -> None:
    more = ("-smp", str(harts), "-append", "one two")
    text, code = run(Board(elf("cnet"), bios=elf(bios), more=more))
    assert code == 0
    assert text.replace("\r", "") == BANNER * (bios == "cfirm") + expected(harts)


@pytest.mark.parametrize("kind", ["machine", "vm"])
@pytest.mark.parametrize("guest", ["hello", "teachos"])
def test_the_firmware_carries_other_kernels(kind: str, guest: str) -> None:
    """Kernels in assembly above the firmware in C say what they say above the built-in one."""
    texts = []
    for bios in ("sbi", build("cfirm")):
        machine = computer(kind, bios=bios)
        machine.load(build(guest))
        stop = machine.run(80_000_000)
        assert (stop.reason, stop.code) == ("exit", 0), machine.console_output
        texts.append(machine.console_output.decode().removeprefix(BANNER))
    # The firmware's own instructions take time, so counts of ticks differ.
    beginnings = [[line[:20] for line in text.splitlines()] for text in texts]
    assert beginnings[0] == beginnings[1]


# ---- on the network ------------------------------------------------------------------------------


class OurCable:
    """The kernel on our machine or in a VM, with its cable in the test's hand."""

    mac = Cable.mac

    def __init__(self, kind: str, bios: str, virtio: str) -> None:
        self.cable = Cable()
        self.machine = computer(kind, bios=firmware(bios), nets=[self.cable], virtio=virtio)
        self.machine.load(build("cnet"))

    def send(self, frame: bytes) -> None:
        self.cable.waiting.append(frame)

    def receive(self, seconds: float = 2.0) -> bytes | None:
        end = self.machine.mtime() + int(seconds * 10_000_000)
        while not self.cable.sent and self.machine.stopped is None:
            if self.machine.mtime() >= end:
                return None
            self.machine.run(SLICE, idle=SLICE)
        return self.cable.sent.pop(0) if self.cable.sent else None

    def finish(self) -> tuple[str, int]:
        stop = self.machine.run(200_000_000)
        assert stop.reason == "exit", stop
        return self.machine.console_output.decode(), stop.code

    def close(self) -> None:
        assert not self.machine.errors


PLACES = [f"{kind}-{bios}-{virtio}" for kind, bios, virtio in itertools.chain(
    itertools.product(("machine", "vm"), ("builtin", "cfirm"), ("legacy", "modern")),
    itertools.product(("qemu",), ("sbi", "cfirm"), ("legacy", "modern")),
)]  # fmt: skip


@pytest.fixture(params=PLACES)
def host(
    request: pytest.FixtureRequest, elf: Callable[[str], Path], disk: Path
) -> Iterator[OurCable | QemuHost]:
    kind, bios, virtio = request.param.split("-")
    found: OurCable | QemuHost
    if kind != "qemu":
        found = OurCable(kind, bios, virtio)
    elif shutil.which(QEMU) is None:
        pytest.skip(f"{QEMU} is not installed; no board to compare with")
    else:
        found = QemuHost(elf("cnet"), elf(bios), disk, virtio)
    yield found
    found.close()


def test_answers(host: OurCable | QemuHost) -> None:
    """ARP, pings of many lengths, UDP, and silence to everything else."""
    question = ethernet(BROADCAST, US, TYPE_ARP, arp(1, US, OUR_IP, bytes(6), ITS_IP))
    for _ in range(200):  # the card may not be ready at once
        host.send(question)
        answer = host.receive(0.5)
        if answer is not None:
            break
    assert answer is not None
    mine = ethernet(US, host.mac, TYPE_ARP, arp(2, host.mac, ITS_IP, US, OUR_IP))
    assert answer[:42] == mine[:42]
    pings = 0

    def ping(seq: int, data: bytes) -> bytes:
        """Ask; the packet that answers it."""
        nonlocal pings
        pings += 1
        message = icmp(ECHO_REQUEST, 77, seq, data)
        host.send(ethernet(host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, ICMP, message)))
        return icmp(ECHO_REPLY, 77, seq, data)

    # It takes frames in their order: this answer comes after those to questions asked again.
    last_one = ping(999, b"ready")
    while (frame := host.receive(30.0)) is not None:
        if frame[12:14] == TYPE_IP.to_bytes(2, "big"):
            break
    assert frame is not None
    assert parse_ip(frame).payload == last_one

    def exchange(protocol: int, message: bytes) -> bytes:
        host.send(ethernet(host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, protocol, message)))
        return received(protocol)

    def received(protocol: int) -> bytes:
        frame = host.receive(30.0)
        assert frame is not None
        packet = parse_ip(frame)
        assert (packet.dst_mac, packet.src_mac) == (US, host.mac)
        assert (packet.src, packet.dst, packet.protocol) == (ITS_IP, OUR_IP, protocol)
        return packet.payload

    def silent(protocol: int, message: bytes) -> bool:
        """No answer: the next one is to what is asked after it."""
        host.send(ethernet(host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, protocol, message)))
        reply = ping(1000 + pings, b"next")
        return received(ICMP) == reply

    lengths = (0, 1, 2, 3, 56, 57, 1000, 1400)
    for seq, length in enumerate(lengths):
        data = bytes((3 * i + seq) & 0xFF for i in range(length))
        reply = ping(seq, data)
        assert received(ICMP) == reply
    payload = exchange(UDP, udp(OUR_IP, ITS_IP, 4000, 7, b"hello"))
    assert payload == udp(ITS_IP, OUR_IP, 7, 4000, b"hello")
    broken = bytearray(icmp(ECHO_REQUEST, 1, 1, b"data"))
    broken[-1] ^= 1
    assert silent(ICMP, bytes(broken))
    assert checksum(bytes(broken)) != 0
    assert silent(UDP, udp(OUR_IP, ITS_IP, 4000, 8, b"nobody"))
    host.send(
        ethernet(
            host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, UDP, udp(OUR_IP, ITS_IP, 1, 9, b"end"))
        )
    )
    text, code = host.finish()
    assert code == 0
    last = text.replace("\r", "").splitlines()[-2:]
    assert last[0].endswith(f"ARP, {pings} echo requests, 1 datagrams")
    assert last[1] == "cnet: done"
