"""The network card: headers of both lengths, limits, link, backlog, counters."""

from __future__ import annotations

import pytest

from tests.devices.slots import MAC, NetSlot
from toyvm.devices.virtio_net import VirtioNet

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])


def frame(size: int = 60, fill: int = 0x5A) -> bytes:
    return (b"\xff" * 6 + MAC + b"\x08\x00").ljust(size, bytes([fill]))[:size]


@LAYOUTS
def test_configuration_has_address_and_link(legacy):
    net = NetSlot(legacy)
    assert net.driver.config(8) == MAC + b"\1\0"


@LAYOUTS
@pytest.mark.parametrize("size", [14, 60, 1514, 1518])
def test_transmit(legacy, size):
    net = NetSlot(legacy)
    net.transmit(frame(size))
    assert net.sent == [frame(size)]
    assert [used.length for used in net.tx.collect()] == [0]
    stats = net.device.stats
    assert (stats.frames_out, stats.bytes_out, stats.errors) == (1, size, 0)
    assert (stats.requests, stats.kicks) == (1, 1)


@LAYOUTS
@pytest.mark.parametrize("step", [1, 3, 10, 12, 13])
def test_header_and_frame_may_be_split_anywhere(legacy, step):
    net = NetSlot(legacy, size=128)
    packet = bytes(net.header) + frame()
    net.machine.write(net.TX_AT, packet)
    cuts = [(net.TX_AT + n, min(step, len(packet) - n), False) for n in range(0, len(packet), step)]
    net.tx.offer(net.tx.chain(cuts))
    net.tx.notify()
    assert net.sent == [frame()]


@LAYOUTS
@pytest.mark.parametrize("size", [0, 13, 1519, 40_000])
def test_malformed_frames_are_dropped_and_counted(legacy, size):
    net = NetSlot(legacy)
    net.transmit(bytes(size))
    assert net.sent == []
    assert len(net.tx.collect()) == 1
    assert (net.device.stats.drops, net.device.stats.errors) == (1, 1)
    assert not net.driver.status & 0x40


@LAYOUTS
def test_a_packet_shorter_than_its_header_is_dropped(legacy):
    net = NetSlot(legacy)
    net.transmit(b"", header=b"\0" * 5)
    assert net.sent == []
    assert net.device.stats.drops == 1


@LAYOUTS
@pytest.mark.parametrize("size", [14, 60, 1518])
def test_receive(legacy, size):
    net = NetSlot(legacy)
    (head,) = net.give_buffers(1)
    net.device.receive(frame(size))
    (used,) = net.rx.collect()
    assert (used.head, used.length) == (head, net.header + size)
    packet = net.machine.read(net.RX_AT, used.length)
    assert packet == (bytes(10) if legacy else bytes(10) + b"\1\0") + frame(size)
    assert net.level
    assert net.driver.interrupt == 1
    assert (net.device.stats.frames_in, net.device.stats.bytes_in) == (1, size)


@LAYOUTS
def test_a_receive_buffer_may_be_in_pieces(legacy):
    net = NetSlot(legacy)
    pieces = [(net.RX_AT, 5, True), (net.RX_AT + 0x100, 20, True), (net.RX_AT + 0x200, 500, True)]
    net.rx.offer(net.rx.chain(pieces))
    net.rx.notify()
    net.device.receive(frame(80))
    (used,) = net.rx.collect()
    got = net.machine.read(net.RX_AT, 5) + net.machine.read(net.RX_AT + 0x100, 20)
    got += net.machine.read(net.RX_AT + 0x200, used.length - 25)
    assert got[net.header :] == frame(80)


@LAYOUTS
def test_frames_wait_for_buffers_in_order(legacy):
    net = NetSlot(legacy)
    for n in range(5):
        net.device.receive(frame(fill=n))
    assert net.device.backlog == 5
    net.give_buffers(3)
    assert net.device.backlog == 2
    assert [net.machine.read(net.RX_AT + 2048 * n + 50, 1)[0] for n in range(3)] == [0, 1, 2]
    net.give_buffers(3)
    assert net.device.backlog == 0
    assert len(net.rx.collect()) == 5


@LAYOUTS
def test_the_backlog_is_bounded(legacy):
    net = NetSlot(legacy)
    for _ in range(1000):
        net.device.receive(frame())
    assert net.device.backlog == 256
    assert net.device.stats.drops == 744


@LAYOUTS
@pytest.mark.parametrize("size", [0, 13, 1519, 65_550])
def test_malformed_frames_from_the_network_are_dropped(legacy, size):
    net = NetSlot(legacy)
    net.give_buffers(1)
    net.device.receive(bytes(size))
    assert net.rx.used_index() == 0
    assert net.device.stats.drops == 1


@LAYOUTS
def test_a_buffer_that_is_too_small_loses_the_frame_not_itself(legacy):
    net = NetSlot(legacy)
    (head,) = net.give_buffers(1, length=100)
    net.device.receive(frame(200))
    assert net.rx.used_index() == 0
    stats = net.device.stats
    assert (stats.drops, stats.errors, stats.requests) == (1, 1, 0)
    net.device.receive(frame(60))
    assert [used.head for used in net.rx.collect()] == [head]


@LAYOUTS
def test_before_the_driver_is_ready_frames_are_lost(legacy):
    net = NetSlot(legacy, driver=False)
    net.device.receive(frame())
    assert (net.device.backlog, net.device.stats.drops) == (0, 1)
    card = VirtioNet(MAC, lambda frame: None)
    card.receive(frame())
    card.set_link(False)
    assert card.stats.drops == 1


@LAYOUTS
def test_reset_drops_the_backlog(legacy):
    net = NetSlot(legacy)
    net.device.receive(frame())
    net.machine.store(0x70, 0)
    assert net.device.backlog == 0


@LAYOUTS
def test_pulling_the_cable(legacy):
    net = NetSlot(legacy)
    generation = net.machine.load(0xFC)
    net.device.set_link(False)
    assert net.driver.interrupt == 2
    assert net.driver.config(8)[6:] == b"\0\0"
    assert net.machine.load(0xFC) == (0 if legacy else generation + 1)
    net.transmit(frame())
    net.device.receive(frame())
    assert net.sent == []
    assert net.device.stats.drops == 2
    net.driver.acknowledge()
    net.device.set_link(False)
    assert net.driver.interrupt == 0
    net.device.set_link(True)
    net.transmit(frame())
    assert net.sent == [frame()]


@LAYOUTS
def test_trouble_on_the_host_loses_the_frame(legacy):
    net = NetSlot(legacy)

    def fail(data: bytes) -> None:
        raise BrokenPipeError("gone")

    net.device._send = fail
    net.transmit(frame())
    assert (net.device.stats.drops, net.device.stats.errors) == (1, 1)
    assert len(net.tx.collect()) == 1


@LAYOUTS
def test_a_broken_receive_queue_is_found_when_a_frame_comes(legacy):
    net = NetSlot(legacy)
    net.rx.offer(net.rx.chain([(0x1000, 2048, True)]))
    net.device.receive(frame())
    assert net.driver.status & 0x40
    assert "queue 0" in net.slot.fault
    net.device.receive(frame())
    assert net.device.stats.drops == 1
    net.memory.check()


def test_an_address_has_six_bytes():
    with pytest.raises(ValueError, match="expected 6"):
        VirtioNet(b"\0" * 5, lambda frame: None)


def test_the_counters_have_names_for_reports():
    net = NetSlot(False)
    net.transmit(frame())
    counters = net.device.stats.as_dict()
    assert {name: value for name, value in counters.items() if value} == {
        "kicks": 1,
        "requests": 1,
        "frames_out": 1,
        "bytes_out": 60,
    }


def test_a_full_queue_of_frames_is_sent_at_once():
    net = NetSlot(False, size=4)
    net.machine.write(net.TX_AT, bytes(net.header) + frame())
    heads = [net.tx.chain([(net.TX_AT, net.header + 60, False)]) for _ in range(4)]
    net.tx.offer(*heads)
    net.tx.notify()
    assert len(net.sent) == 4
    net.slot.poll()
    assert [used.head for used in net.tx.collect()] == heads
