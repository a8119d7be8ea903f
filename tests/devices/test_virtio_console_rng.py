"""The console and the entropy device, both layouts; registers beside QEMU's."""

from __future__ import annotations

import struct
from hashlib import sha256
from pathlib import Path

import pytest

from tests.devices.driver import Driver, Ours, Qemu
from tests.devices.memory import RAM, GuardedMemory
from tests.devices.qtest import QTest, needs_qemu
from toyvm import platform
from toyvm.devices.virtio import VirtioDevice
from toyvm.devices.virtio_console import TX_MAX, VirtioConsole
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtio_rng import REQUEST_MAX, SeededBytes, VirtioRng

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
BUFFER = RAM + 0x2_0000


class Slot:
    """Any device with an initialised driver."""

    def __init__(self, device: VirtioDevice, legacy: bool, queues: int, accept: int = 0) -> None:
        self.memory = GuardedMemory(1 << 20)
        self.device = device
        self.level = False
        self.slot = VirtioMmio(device, self.memory, self._irq, legacy)
        self.machine = Ours(self.slot, self.memory)
        self.driver = Driver(self.machine, RAM, queues, 16, accept)
        self.queues = self.driver.queues

    def _irq(self, level: bool) -> None:
        self.level = level

    def offer(self, queue: int, *buffers: tuple[int, int, bool]) -> int:
        head = self.queues[queue].chain(list(buffers))
        self.queues[queue].offer(head)
        self.queues[queue].notify()
        return head


def console(legacy: bool, accept: int = 0) -> tuple[Slot, list[bytes]]:
    sent: list[bytes] = []
    return Slot(VirtioConsole(sent.append), legacy, 2, accept), sent


@LAYOUTS
def test_the_guest_writes(legacy: bool) -> None:
    slot, sent = console(legacy)
    slot.machine.write(BUFFER, b"h\xc3\xa9llo\x00\xff")
    slot.offer(1, (BUFFER, 4, False), (BUFFER + 4, 4, False))
    assert sent == [b"h\xc3\xa9llo\x00\xff"]
    assert [entry.length for entry in slot.queues[1].collect()] == [0]
    assert slot.level
    assert slot.device.stats.bytes_out == len(sent[0])


@LAYOUTS
def test_the_user_types(legacy: bool) -> None:
    slot, _ = console(legacy)
    device = slot.device
    assert isinstance(device, VirtioConsole)
    device.feed(b"before any buffer")
    assert device.backlog == 17
    slot.offer(0, (BUFFER, 4, True), (BUFFER + 100, 4, True))
    assert slot.machine.read(BUFFER, 4) + slot.machine.read(BUFFER + 100, 4) == b"before a"
    slot.offer(0, (BUFFER, 64, True))
    assert slot.machine.read(BUFFER, 9) == b"ny buffer"
    assert [entry.length for entry in slot.queues[0].collect()] == [8, 9]
    slot.offer(0, (BUFFER, 64, True))
    assert slot.queues[0].collect() == []
    device.feed(b"later")
    assert [entry.length for entry in slot.queues[0].collect()] == [5]
    assert (device.backlog, device.stats.bytes_in) == (0, 22)


@LAYOUTS
def test_a_console_with_a_broken_backend(legacy: bool) -> None:
    def broken(data: bytes) -> None:
        raise OSError("no space left")

    slot = Slot(VirtioConsole(broken), legacy, 2)
    slot.offer(1, (BUFFER, 4, False))
    assert len(slot.queues[1].collect()) == 1
    assert slot.device.stats.drops == 1
    assert not slot.driver.status & 0x40


@LAYOUTS
def test_too_much_at_once_is_cut(legacy: bool) -> None:
    slot, sent = console(legacy)
    slot.offer(1, (BUFFER, TX_MAX + 1, False))
    assert len(sent[0]) == TX_MAX
    assert slot.device.stats.errors == 1


@LAYOUTS
def test_emergency_write_needs_no_driver(legacy: bool) -> None:
    sent: list[bytes] = []
    slot = VirtioMmio(VirtioConsole(sent.append), GuardedMemory(4096), lambda level: None, legacy)
    assert slot.write(0x108, 4, 0x1234_5641)
    assert slot.write(0x108, 1, 0x42)
    assert slot.write(0x104, 4, 0x43)
    assert sent == [b"A", b"B"]


MULTIPORT = 1 << 1


class ControlDriver:
    """A driver with several ports, on ours or on QEMU."""

    def __init__(self, machine: Ours | Qemu, at: int) -> None:
        self.machine = machine
        self.at = at + 0x4_0000
        self.driver = Driver(machine, at, 4, 16, MULTIPORT)
        queue = self.driver.queues[2]
        queue.offer(*(queue.chain([(self.at + 64 * n, 32, True)]) for n in range(16)))
        queue.notify()

    def say(self, message: bytes, port: int = 3) -> None:
        self.machine.write(self.at + 0x1000, message)
        queue = self.driver.queues[port]
        queue.offer(queue.chain([(self.at + 0x1000, len(message), False)]))
        queue.notify()
        for _ in range(20_000):
            if queue.collect():
                return
        raise AssertionError("the message was not taken")

    def heard(self) -> list[tuple[int, ...]]:
        return [
            struct.unpack("<IHH", self.machine.read(self.at + 64 * entry.head, 8))
            for entry in self.driver.queues[2].collect()
            if entry.length == 8
        ]


CONVERSATION = [
    struct.pack("<IHH", *message)
    for message in (
        (0, 0, 0),
        (0, 0, 1),
        (0, 3, 0),
        (0, 3, 1),
        (5, 3, 1),
        (0, 6, 1),
        (0, 99, 1),
        (0xFFFF_FFFF, 0, 1),
    )
]


@needs_qemu
@LAYOUTS
def test_ports_are_announced_as_on_qemu(tmp_path: Path, legacy: bool) -> None:
    args = ["-device", "virtio-serial-device,bus=virtio-mmio-bus.0", "-chardev", "null,id=c0"]
    args += ["-device", "virtconsole,chardev=c0"]
    args += [] if legacy else ["-global", "virtio-mmio.force-legacy=false"]
    with QTest(tmp_path, *args, running=True) as qtest:
        theirs = ControlDriver(Qemu(qtest, platform.virtio_base(0)), RAM + 0x10_0000)
        ours = ControlDriver(Slot(VirtioConsole(print), legacy, 4).machine, RAM)
        for message in CONVERSATION:
            for driver in (ours, theirs):
                driver.say(message)
            assert ours.heard() == theirs.heard(), message
        assert not theirs.driver.status & 0x40


@LAYOUTS
def test_a_port_that_is_not_open_gets_nothing(legacy: bool) -> None:
    sent: list[bytes] = []
    device = VirtioConsole(sent.append)
    driver = ControlDriver(Slot(device, legacy, 4).machine, RAM)
    rx = driver.driver.queues[0]
    rx.offer(rx.chain([(BUFFER + 0x8000, 8, True)]))
    rx.notify()
    device.feed(b"x")
    assert rx.collect() == []
    driver.say(struct.pack("<IHH", 0, 6, 1))
    assert [entry.length for entry in rx.collect()] == [1]
    driver.say(b"\0\0")
    driver.say(b"out", 1)
    assert sent == [b"out"]


@LAYOUTS
def test_other_ports_swallow_and_messages_are_bounded(legacy: bool) -> None:
    sent: list[bytes] = []
    slot = Slot(VirtioConsole(sent.append), legacy, 6, MULTIPORT)
    slot.machine.write(BUFFER + 0x8000, b"lost")
    slot.offer(5, (BUFFER + 0x8000, 4, False))
    assert len(slot.queues[5].collect()) == 1
    assert sent == []
    slot.machine.write(BUFFER + 0x8000, struct.pack("<IHH", 0, 0, 1))
    for _ in range(100):
        slot.offer(3, (BUFFER + 0x8000, 8, False))
    assert slot.device.stats.drops == 1 + 100 - 64


@LAYOUTS
def test_the_same_bytes_in_every_run(legacy: bool) -> None:
    slot = Slot(VirtioRng(), legacy, 1)
    slot.offer(0, (BUFFER, 10, True), (BUFFER + 64, 30, True))
    assert [entry.length for entry in slot.queues[0].collect()] == [40]
    got = slot.machine.read(BUFFER, 10) + slot.machine.read(BUFFER + 64, 30)
    assert got == b"".join(sha256(b"toyvm rng 0:%d" % n).digest() for n in range(2))[:40]
    slot.offer(0, (BUFFER, 24, True))
    assert slot.machine.read(BUFFER, 24) == sha256(b"toyvm rng 0:1").digest()[8:]


def test_seeded_bytes_do_not_depend_on_the_pieces() -> None:
    whole, pieces = SeededBytes(3)(1000), SeededBytes(3)
    assert b"".join(pieces(n) for n in (0, 1, 31, 32, 33, 903)) == whole
    assert len({SeededBytes(n)(16) for n in range(100)}) == 100


@LAYOUTS
def test_requests_without_and_with_too_much_room(legacy: bool) -> None:
    slot = Slot(VirtioRng(), legacy, 1)
    slot.offer(0, (BUFFER, 10, False))
    slot.offer(0, (BUFFER, REQUEST_MAX + 100, True))
    assert [entry.length for entry in slot.queues[0].collect()] == [0, REQUEST_MAX]


@LAYOUTS
def test_a_host_without_randomness(legacy: bool) -> None:
    def empty(count: int) -> bytes:
        raise OSError("no entropy")

    slot = Slot(VirtioRng(empty), legacy, 1)
    slot.offer(0, (BUFFER, 10, True))
    assert [entry.length for entry in slot.queues[0].collect()] == [0]
    assert slot.device.stats.errors == 1


@needs_qemu
@LAYOUTS
def test_registers_beside_qemus(tmp_path: Path, legacy: bool) -> None:
    args = ["-device", "virtio-serial-device,bus=virtio-mmio-bus.0", "-chardev", "null,id=c0"]
    args += ["-device", "virtconsole,chardev=c0"]
    args += ["-device", "virtio-rng-device,bus=virtio-mmio-bus.1"]
    args += [] if legacy else ["-global", "virtio-mmio.force-legacy=false"]
    with QTest(tmp_path, *args) as qtest:
        for slot, ours in enumerate(
            (Slot(VirtioConsole(print), legacy, 2), Slot(VirtioRng(), legacy, 1))
        ):
            theirs = Driver(Qemu(qtest, platform.virtio_base(slot)), RAM, len(ours.queues))
            mine = ours.driver
            assert theirs.device_id == mine.device_id == 3 + slot
            assert mine.offered & ~theirs.offered == 0
            # What QEMU offers besides: a reset of a single queue (modern) on all devices.
            assert theirs.offered & ~mine.offered == (0 if legacy else 1 << 40)
            for queue in (0, 1, 2, 63, 64, 65):
                sizes = []
                for machine in (ours.machine, theirs.machine):
                    machine.store(0x30, queue)
                    sizes.append(machine.load(0x34))
                assert sizes[0] == sizes[1], queue
            for offset in (0x00, 0x04, 0x08, 0x0C, 0x34, 0x60, 0x70, 0xFC):
                assert ours.machine.load(offset) == theirs.machine.load(offset), hex(offset)
            if slot == 0:
                assert mine.config(12) == theirs.config(12)
            for at in (12, 60) if slot == 0 else (0, 60):
                assert ours.machine.load(0x100 + at) == theirs.machine.load(0x100 + at)


@needs_qemu
@LAYOUTS
def test_qemus_rng_takes_the_same_requests(tmp_path: Path, legacy: bool) -> None:
    args = ["-device", "virtio-rng-device,bus=virtio-mmio-bus.0"]
    args += [] if legacy else ["-global", "virtio-mmio.force-legacy=false"]
    with QTest(tmp_path, *args, running=True) as qtest:
        theirs = Driver(Qemu(qtest, platform.virtio_base(0)), RAM + 0x10_0000, 1)
        ours = Slot(VirtioRng(), legacy, 1)
        at = RAM + 0x14_0000
        for parts in ([1], [16, 16], [7, 100, 1]):
            buffers = [(at + 256 * n, size, True) for n, size in enumerate(parts)]
            queue = theirs.queues[0]
            queue.offer(queue.chain(buffers))
            queue.notify()
            found = []
            for _ in range(20_000):
                found = queue.collect()
                if found:
                    break
            ours.offer(0, *((BUFFER + 256 * n, size, True) for n, size in enumerate(parts)))
            assert [u.length for u in found] == [u.length for u in ours.queues[0].collect()]
            assert theirs.interrupt == ours.driver.interrupt == 1
            theirs.acknowledge()
            ours.driver.acknowledge()
