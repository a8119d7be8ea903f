"""The socket peer: its stream by hand, two of them together, and a real QEMU at the other end."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.devices.driver import Driver, Qemu
from tests.devices.memory import RAM
from tests.devices.qtest import QTest, needs_qemu
from toyvm import platform
from toyvm.network import PeerError, SocketPeer, Switch

FRAME = bytes(range(60))
SECONDS = 10.0


def wait(condition, poll) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        poll()
        assert time.monotonic() < end, "nothing happened within 10 seconds"
        time.sleep(0.001)


@pytest.fixture
def raw():
    """A peer, and the plain socket at its other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = SocketPeer("127.0.0.1", server.getsockname()[1])
        other, _ = server.accept()
    other.settimeout(SECONDS)
    yield peer, other
    peer.close()
    other.close()


def test_stream_out(raw):
    peer, other = raw
    peer.send(FRAME)
    peer.send(b"abc")
    assert other.recv(200) == b"\0\0\0\x3c" + FRAME + b"\0\0\0\3abc"
    assert peer.frames_out == 2


@pytest.mark.parametrize("step", [1, 3, 64, 1000])
def test_stream_in_however_it_is_cut(raw, step):
    peer, other = raw
    got: list[bytes] = []
    peer.on_frame = got.append
    stream = b"".join(len(data).to_bytes(4, "big") + data for data in (FRAME, b"z", FRAME * 20))
    for at in range(0, len(stream), step):
        other.sendall(stream[at : at + step])
        peer.poll()
    wait(lambda: len(got) == 3, peer.poll)
    assert got == [FRAME, b"z", FRAME * 20]
    assert (peer.frames_in, peer.drops) == (3, 0)


def test_poll_never_waits(raw):
    peer, _ = raw
    start = time.monotonic()
    assert [peer.poll() for _ in range(100)] == [0] * 100
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("length", [0, 0xFFFF_FFFF, 4096 + 65536 + 1])
def test_a_garbled_stream_ends_the_connection(raw, length):
    peer, other = raw
    got: list[bytes] = []
    peer.on_frame = got.append
    other.sendall(b"\0\0\0\3abc" + length.to_bytes(4, "big") + b"x" * 100)
    wait(lambda: not peer.connected, peer.poll)
    assert got == [b"abc"]
    assert "garbled stream" in peer.error
    peer.send(FRAME)
    assert peer.drops == 1
    assert peer.poll() == 0


def test_the_other_side_hangs_up(raw):
    peer, other = raw
    other.close()
    wait(lambda: not peer.connected, peer.poll)
    assert peer.error
    peer.send(FRAME)
    assert peer.drops == 1


def test_frames_without_a_receiver_are_counted(raw):
    peer, other = raw
    other.sendall(b"\0\0\0\3abc")
    wait(lambda: peer.frames_in == 1, peer.poll)
    assert peer.drops == 1


def test_a_peer_that_does_not_read_costs_bounded_memory(raw):
    peer, _ = raw
    for _ in range(20_000):
        peer.send(bytes(1500))
    assert peer.drops > 0
    assert peer.connected
    assert peer.frames_out + peer.drops == 20_000


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PeerError, match=rf"cannot connect to 127.0.0.1:{port}.*listen="):
        SocketPeer("127.0.0.1", port)
    with pytest.raises(PeerError, match="cannot connect"):
        SocketPeer("127.0.0.1", 99_999)


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PeerError, match=r"cannot listen at .*choose a free port"):
            SocketPeer("127.0.0.1", port, listen=True)


def test_two_switches_joined_by_a_cable():
    left = SocketPeer("127.0.0.1", 0, listen=True)
    right = SocketPeer("127.0.0.1", left.address[1])
    got: list[bytes] = []
    switches = []
    for peer in (left, right):
        switch = Switch()
        trunk = switch.port("trunk")
        trunk.on_frame, peer.on_frame = peer.send, trunk.send
        switches.append(switch)
    host, other = switches[0].port("host"), switches[1].port("host")
    other.on_frame = got.append
    frame = b"\xff" * 6 + b"\2\0\0\0\0\1" + bytes(48)
    host.send(frame)

    def poll() -> None:
        for peer, switch in zip((left, right), switches, strict=True):
            switch.deliver()
            peer.poll()

    wait(lambda: got, poll)
    assert got == [frame]
    left.close()
    right.close()


@needs_qemu
@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
def test_a_real_qemu(tmp_path: Path, legacy):
    """Frames through QEMU's own virtio card and socket netdev, in both directions."""
    peer = SocketPeer("127.0.0.1", 0, listen=True)
    port = peer.address[1]
    args = ["-netdev", f"socket,id=n0,connect=127.0.0.1:{port}"]
    args += ["-device", "virtio-net-device,netdev=n0,bus=virtio-mmio-bus.0"]
    if not legacy:
        args += ["-global", "virtio-mmio.force-legacy=false"]
    got: list[bytes] = []
    peer.on_frame = got.append
    header = 10 if legacy else 12
    with QTest(tmp_path, *args, running=True) as qtest:
        machine = Qemu(qtest, platform.virtio_base(0))
        driver = Driver(machine, RAM + 0x1_0000, 2)
        receive, transmit = driver.queues
        buffer = RAM + 0x3_0000
        receive.offer(receive.chain([(buffer, 2048, True)]))
        receive.notify()
        machine.write(buffer + 0x1000, bytes(header) + FRAME)
        transmit.offer(transmit.chain([(buffer + 0x1000, header + 60, False)]))
        transmit.notify()
        wait(lambda: got, peer.poll)
        assert got == [FRAME]
        peer.send(FRAME[::-1])
        wait(lambda: receive.used_index() == 1, peer.poll)
        (used,) = receive.collect()
        assert used.length == header + 60
        assert machine.read(buffer + header, 60) == FRAME[::-1]
    wait(lambda: not peer.connected, peer.poll)
