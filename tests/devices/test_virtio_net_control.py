"""The card's control queue and merged buffers; QEMU's card judges the receive filter."""

from __future__ import annotations

import random
import socket
import struct
import time

import pytest

from tests.devices.driver import Driver, Qemu
from tests.devices.memory import RAM
from tests.devices.qtest import QTest, needs_qemu
from tests.devices.slots import MAC, MRG_RXBUF, NetSlot, send_command
from toyvm import platform
from toyvm.devices.virtio_net_control import TABLE_MAX, ReceiveFilter

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, CTRL_MAC = (1 << n for n in (17, 18, 19, 20, 23))
CONTROL = CTRL_VQ | CTRL_RX | CTRL_RX_EXTRA | CTRL_MAC
OTHER = bytes.fromhex("525400000001")
GROUP = bytes.fromhex("01005e000001")


def frame(to: bytes, vlan: int | None = None, number: int = 0) -> bytes:
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    return to + OTHER + tag + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(46)


# -- merged receive buffers --------------------------------------------------------------------


@LAYOUTS
@pytest.mark.parametrize("length", [12, 13, 100, 2048])
@pytest.mark.parametrize("size", [14, 60, 1518])
def test_a_frame_over_several_buffers(legacy: bool, length: int, size: int) -> None:
    net = NetSlot(legacy, accept=MRG_RXBUF, size=256)
    data = (MAC + OTHER + bytes(range(256)) * 6)[:size]
    need = -(-(12 + size) // length)
    heads = net.give_buffers(min(need - 1, 60), length)
    net.device.receive(data)
    assert net.rx.collect() == []
    assert net.device.backlog == 1
    for _ in range(need - len(heads)):
        net.rx.offer(net.rx.chain([(net.RX_AT, length, True)]))
    # The buffers lie on top of each other here: only the lengths tell.
    net.rx.notify()
    used = net.rx.collect()
    assert [entry.length for entry in used[:-1]] == [length] * (need - 1)
    assert sum(entry.length for entry in used) == 12 + size
    assert (net.device.backlog, net.device.stats.drops) == (0, 0)


@LAYOUTS
def test_the_pieces_are_the_frame(legacy: bool) -> None:
    net = NetSlot(legacy, accept=MRG_RXBUF)
    net.give_buffers(4, 40)
    data = bytes(range(100))
    net.device.receive(data)
    used = net.rx.collect()
    assert [entry.length for entry in used] == [40, 40, 32]
    got = b"".join(
        net.machine.read(net.RX_AT + n * 2048, entry.length) for n, entry in enumerate(used)
    )
    assert got == bytes(10) + b"\3\0" + data
    net.give_buffers(1)
    net.device.receive(data)
    assert [entry.length for entry in net.rx.collect()] == [40, 72]  # the rest of the first four


@LAYOUTS
def test_buffers_that_never_do(legacy: bool) -> None:
    """A merged buffer has room for the header at least; a whole queue may be too small."""
    net = NetSlot(legacy, accept=MRG_RXBUF)
    net.give_buffers(1, 11)
    net.device.receive(bytes(60))
    assert net.device.stats.drops == 1
    small = NetSlot(legacy, accept=MRG_RXBUF, size=4)
    small.give_buffers(4, 12)
    small.device.receive(bytes(60))
    assert (small.device.stats.drops, small.rx.collect()) == (1, [])


# -- the control queue -------------------------------------------------------------------------


BAD = [
    b"",
    b"\0",
    b"\0\0",
    b"\0\6\1",
    b"\0\0\1\1",
    b"\1\1" + MAC[:5],
    b"\1\1" + MAC + b"\0",
    b"\1\2",
    b"\1\0" + struct.pack("<I", 1) + MAC,
    b"\1\0" + struct.pack("<I", 0xFFFF_FFFF) + MAC,
    b"\1\0" + struct.pack("<II", 0, 0) + b"\0",
    b"\2\0\1",
    b"\2\2\1\0",
    b"\2\0\0\x10",
    b"\4\0",
    b"\xff\xff\xff",
]


@LAYOUTS
@pytest.mark.parametrize("data", BAD)
def test_commands_that_make_no_sense(legacy: bool, data: bytes) -> None:
    net = NetSlot(legacy, accept=CONTROL, queues=3)
    if data:
        assert net.command(data) == 1
    else:
        assert not ReceiveFilter(MAC).command(data)
    assert not net.driver.status & 0x40


def test_a_command_without_room_for_its_answer_breaks_the_queue() -> None:
    net = NetSlot(False, accept=CONTROL, queues=3)
    queue = net.driver.queues[2]
    queue.offer(queue.chain([(net.CONTROL_AT, 3, False)]))
    queue.notify()
    assert net.driver.status & 0x40


def test_too_many_addresses_let_everything_of_their_kind_pass() -> None:
    card = ReceiveFilter(MAC)
    assert card.command(b"\0\0\0")
    assert not card.wants(frame(OTHER))
    many = b"".join(bytes((2, 0, 0, 0, 0, n)) for n in range(TABLE_MAX + 1))
    assert card.command(b"\1\0" + struct.pack("<I", TABLE_MAX + 1) + many + bytes(4))
    assert card.wants(frame(OTHER))
    assert not card.wants(frame(GROUP))


@LAYOUTS
def test_a_new_address(legacy: bool) -> None:
    net = NetSlot(legacy, accept=CONTROL, queues=3)
    assert net.command(b"\0\0\0") == 0
    assert net.command(b"\1\1" + OTHER) == 0
    assert net.driver.config(6) == OTHER
    net.give_buffers(4)
    net.device.receive(frame(MAC))
    net.device.receive(frame(OTHER))
    assert len(net.rx.collect()) == 1
    net.machine.store(0x70, 0)
    assert net.device.mac == MAC


def test_a_legacy_driver_may_write_the_address() -> None:
    net = NetSlot(True)
    for n, byte in enumerate(OTHER):
        net.machine.store(0x100 + n, byte, 1)
    assert net.driver.config(6) == OTHER
    net.machine.store(0x104, 0xFFFF_FFFF, 4)  # over the end: the address stays whole
    assert net.driver.config(6) == OTHER
    modern = NetSlot(False)
    modern.machine.store(0x100, 0, 1)
    assert modern.driver.config(6) == MAC


class QemuCard:
    """QEMU's card, fed through its socket."""

    def __init__(self, folder, legacy: bool, features: int) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        port = self.server.getsockname()[1]
        args = ["-netdev", f"socket,id=n0,connect=127.0.0.1:{port}", "-device"]
        mac = MAC.hex(":")
        args += [f"virtio-net-device,netdev=n0,mac={mac},bus=virtio-mmio-bus.0"]
        if not legacy:
            args += ["-global", "virtio-mmio.force-legacy=false"]
        self.qtest = QTest(folder, *args, running=True)
        self.peer, _ = self.server.accept()
        machine = Qemu(self.qtest, platform.virtio_base(0))
        self.at = RAM + 0x10_0000
        self.driver = Driver(machine, self.at, 3, 256, features)
        self.buffers = self.at + 0x10_0000
        rx = self.driver.queues[0]
        rx.offer(*(rx.chain([(self.buffers + 2048 * n, 2048, True)]) for n in range(256)))
        rx.notify()
        self.header = 10 if legacy else 12

    def command(self, data: bytes) -> int:
        return send_command(self.driver, self.at + 0x8_0000, data)

    def receive(self, frames: list[bytes], expected: int) -> list[bytes]:
        """Send frames, then collect what passes; a little time shows any that should not."""
        for data in frames:
            self.peer.sendall(len(data).to_bytes(4, "big") + data)
        used = []
        limit = time.monotonic() + 10
        grace = None
        while grace is None or time.monotonic() < grace:
            used += self.driver.queues[0].collect()
            if grace is None and (len(used) >= expected or time.monotonic() > limit):
                grace = time.monotonic() + 0.05
        rx, out = self.driver.queues[0], []
        for entry in used:
            packet = self.driver.machine.read(self.buffers + 2048 * entry.head, entry.length)
            out.append(packet[self.header :])
            rx.offer(entry.head)
        rx.notify()
        return out

    def close(self) -> None:
        self.qtest.close()
        self.peer.close()
        self.server.close()


@needs_qemu
@LAYOUTS
@pytest.mark.parametrize("vlan", [False, True], ids=["", "vlan"])
def test_the_filter_is_qemus(tmp_path, legacy: bool, vlan: bool) -> None:
    rng = random.Random(legacy * 2 + vlan)
    features = CONTROL | (CTRL_VLAN if vlan else 0)
    net = NetSlot(legacy, accept=features, queues=3, size=64)
    theirs = QemuCard(tmp_path, legacy, features)
    try:
        assert theirs.driver.features & features == net.driver.features & features == features
        to = [MAC, OTHER, GROUP, b"\xff" * 6, bytes.fromhex("525400000002"), b"\x33" * 6]
        frames = [frame(where, tag) for where in to for tag in (None, 0, 5, 4095)]
        for _ in range(14):
            match rng.randrange(5):
                case 0 | 1:
                    command = bytes((0, rng.randrange(6), rng.randrange(2)))
                case 2:
                    tables = [rng.sample(to[:2], rng.randrange(3)), rng.sample(to[2:], 2)]
                    command = b"\1\0" + b"".join(
                        struct.pack("<I", len(table)) + b"".join(table) for table in tables
                    )
                case 3:
                    command = b"\1\1" + rng.choice((MAC, OTHER))
                case _:
                    command = bytes((2, rng.randrange(2))) + rng.choice((b"\5\0", b"\0\0"))
            assert net.command(command) == theirs.command(command), command
            net.give_buffers(32)
            for data in frames:
                net.device.receive(data)
            ours = []
            for entry in net.rx.collect():
                at = net.RX_AT + 2048 * (entry.head % 32)
                ours.append(net.machine.read(at, entry.length)[net.header :])
            net.machine.store(0x64, 1)
            net = reopened(net, legacy, features)
            assert theirs.receive(frames, len(ours)) == ours, command
    finally:
        theirs.close()


def reopened(net: NetSlot, legacy: bool, features: int) -> NetSlot:
    """The same card with the same filter and a new driver: its ring starts again."""
    fresh = NetSlot(legacy, accept=features, queues=3, size=64)
    fresh.device.filter = net.device.filter
    return fresh
