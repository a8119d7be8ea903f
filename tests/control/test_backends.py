"""Opened disks, cables, and what is counted on them."""

from __future__ import annotations

import struct

import pytest

from toyvm.control.backends import Card, lab_mac, open_drive, open_net
from toyvm.control.specs import parse_drive, parse_net
from toyvm.control.wire import WireCount
from toyvm.network import PeerError, Switch
from toyvm.storage import DiskError

MAC_A, MAC_B = lab_mac(0), lab_mac(1)


def frame(kind: int, body: bytes, source: bytes = MAC_A, target: bytes = b"\xff" * 6) -> bytes:
    return target + source + struct.pack(">H", kind) + body


def echo(icmp_type: int, options: int = 0) -> bytes:
    header = bytes([0x45 + options]) + bytes(8) + b"\x01" + bytes(10) + bytes(4 * options)
    return frame(0x0800, header + bytes([icmp_type]) + bytes(7))


def test_temporary_copies_leave_the_file_alone(tmp_path):
    path = tmp_path / "d.img"
    path.write_bytes(b"A" * 512)
    disk = open_drive(parse_drive("temp:d.img", tmp_path))
    disk.write(0, b"B" * 512)
    assert disk.read(0, 1) == b"B" * 512
    disk.close()
    assert path.read_bytes() == b"A" * 512


def test_files_are_written_through_and_ro_is_kept(tmp_path):
    path = tmp_path / "d.img"
    path.write_bytes(bytes(1024))
    disk = open_drive(parse_drive(str(path)))
    disk.write(1, b"B" * 512)
    disk.close()
    assert path.read_bytes()[512:] == b"B" * 512
    locked = open_drive(parse_drive(f"{path},ro"))
    with pytest.raises(DiskError):
        locked.write(0, bytes(512))
    locked.close()


def test_a_loose_cable_counts_what_is_lost():
    card = open_net(parse_net("none"), MAC_A)
    card.send(frame(0x0806, bytes(28)))
    assert card.lost == 1
    assert card.sent.arp == 1
    assert card.poll() == 0
    assert not card.remote


def test_two_cards_on_a_switch(tmp_path):
    switches = {"lan": Switch()}
    first = open_net(parse_net("lan", switches=("lan",)), MAC_A, "a.0", switches)
    text = f"lan,pcap={tmp_path / 'b.pcap'}"
    second = open_net(parse_net(text, switches=("lan",)), MAC_B, "b.0", switches)
    heard: list[bytes] = []
    second.on_frame = heard.append
    sent = frame(0x0806, bytes(28))
    first.send(sent)
    assert heard == []
    switches["lan"].deliver()
    assert heard == [sent]
    second.close()
    # A classic pcap file: 24 bytes of header, 16 for the frame, then the frame.
    assert (tmp_path / "b.pcap").read_bytes()[40:] == sent


def test_a_card_has_the_address_of_its_spec():
    assert open_net(parse_net("none,mac=52:54:00:00:00:09"), MAC_A).mac[-1] == 9
    assert open_net(parse_net("none"), MAC_A).mac == MAC_A
    assert Card(None, MAC_A).mac == MAC_A


def test_a_peer_that_is_not_there():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PeerError, match=f"127.0.0.1:{port}"):
        open_net(parse_net(f"socket:127.0.0.1:{port}"), MAC_A)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (frame(0x0806, bytes(28)), "arp"),
        (echo(8), "echo_requests"),
        (echo(0), "echo_replies"),
        (echo(8, options=2), "echo_requests"),
        (echo(3), "others"),
        (frame(0x86DD, bytes(40)), "others"),
        (frame(0x0800, b"\x45"), "others"),
        (frame(0x0800, b"\x40" + bytes(40)), "others"),
        (b"", "others"),
    ],
)
def test_frames_are_told_apart(data, field):
    count = WireCount()
    count.see(data)
    assert count.as_dict() == {
        "frames": 1, "arp": 0, "echo_requests": 0, "echo_replies": 0, "others": 0, field: 1
    }  # fmt: skip
