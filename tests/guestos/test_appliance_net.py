"""The appliance, seen from the other end of its cable."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

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
from .hosts import Host

US = bytes.fromhex("02005e10aa01")
MY_IP = "10.0.0.77"
ITS_IP = "10.0.0.2"
Start = Callable[[str], Host]


def ask_arp(host: Host, target: str = ITS_IP) -> None:
    host.send(ethernet(BROADCAST, US, TYPE_ARP, arp(1, US, MY_IP, bytes(6), target)))


def meet(host: Host) -> None:
    """Ask until it is up: a guest that has not started its card yet hears nothing."""
    for _ in range(40):
        ask_arp(host)
        frame = host.receive(0.5)
        if frame is not None:
            assert frame[:14] == US + host.mac + b"\x08\x06"
            assert frame[14:42] == arp(2, host.mac, ITS_IP, US, MY_IP)
            assert frame[42:] == bytes(len(frame) - 42)
            while host.receive(0.3) is not None:
                pass  # answers to what waited on the wire
            return
    pytest.fail("no answer to ARP")


def echo(host: Host, seq: int, data: bytes) -> None:
    packet = ipv4(MY_IP, ITS_IP, ICMP, icmp(ECHO_REQUEST, 0xBEEF, seq, data))
    host.send(ethernet(host.mac, US, TYPE_IP, packet))


def good_night(host: Host, check: bool = True) -> None:
    packet = ipv4(MY_IP, ITS_IP, UDP, udp(MY_IP, ITS_IP, 4000, 9, b"sleep", check))
    host.send(ethernet(host.mac, US, TYPE_IP, packet))


def record(disk: Path) -> tuple[bytes, int, int, int]:
    """(magic, echo requests, ARP requests, starts) from the disk."""
    return struct.unpack("<4sIII", disk.read_bytes()[:16])


@pytest.mark.parametrize("size", [0, 1, 31, 32, 1471, 1472])
def test_echo_comes_back_whole_and_with_right_checksums(
    start: Start, disk: Path, size: int
) -> None:
    host = start("appliance")
    meet(host)
    data = bytes(i * 7 & 0xFF for i in range(size))
    echo(host, 5, data)
    frame = host.receive()
    assert frame is not None
    packet = parse_ip(frame)
    assert (packet.dst_mac, packet.src_mac) == (US, host.mac)
    assert (packet.src, packet.dst, packet.protocol) == (ITS_IP, MY_IP, ICMP)
    assert packet.payload == icmp(ECHO_REPLY, 0xBEEF, 5, data)
    good_night(host)
    text, code = host.finish()
    assert code == 0
    assert f"appliance: good night from {MY_IP}\n" in text
    magic, echos, arps, starts = record(disk)
    assert (magic, echos, starts) == (b"appl", 1, 1)
    assert arps >= 1


def test_the_record_is_written_after_each_request(start: Start, disk: Path) -> None:
    host = start("appliance")
    meet(host)
    first = record(disk)
    for n in range(1, 4):
        echo(host, n, b"abc")
        assert host.receive() is not None
        assert host.receive(0.2) is None
        assert record(disk) == (b"appl", n, first[2], 1)


def test_silence_for_what_is_broken_or_not_for_it(start: Start, disk: Path) -> None:
    host = start("appliance")
    meet(host)
    good = ipv4(MY_IP, ITS_IP, ICMP, icmp(ECHO_REQUEST, 1, 1, b"data"))
    flip = bytearray(good)
    flip[-1] ^= 1
    bad_header = bytearray(good)
    bad_header[8] -= 1
    long = bytearray(good)
    long[2:4] = struct.pack(">H", 200)
    long[10:12] = bytes(2)
    long[10:12] = struct.pack(">H", checksum(bytes(long[:20])))
    other_code = ipv4(MY_IP, ITS_IP, ICMP, icmp(ECHO_REQUEST, 1, 1, b"data", code=1))
    unasked = ipv4(MY_IP, ITS_IP, ICMP, icmp(ECHO_REPLY, 1, 1, b"data"))
    foreign = ipv4(MY_IP, "10.0.0.3", ICMP, icmp(ECHO_REQUEST, 1, 1, b"data"))
    part = ipv4(MY_IP, ITS_IP, ICMP, icmp(ECHO_REQUEST, 1, 1, b"data"), fragment=0x2000)
    wrong_udp = bytearray(udp(MY_IP, ITS_IP, 4000, 9, b"sleep"))
    wrong_udp[-1] ^= 1
    bad_udp = ipv4(MY_IP, ITS_IP, UDP, bytes(wrong_udp))
    other_port = ipv4(MY_IP, ITS_IP, UDP, udp(MY_IP, ITS_IP, 4000, 10, b"sleep"))
    bad: list[bytes] = [bytes(flip), bytes(bad_header), bytes(long), other_code, unasked, foreign]
    for packet in [*bad, part, bad_udp, other_port]:
        host.send(ethernet(host.mac, US, TYPE_IP, packet))
    host.send(ethernet(host.mac, US, 0x86DD, good))
    host.send(ethernet(host.mac, US, TYPE_IP, good)[:20])
    ask_arp(host, "10.0.0.3")
    host.send(ethernet(BROADCAST, US, TYPE_ARP, arp(2, US, MY_IP, host.mac, ITS_IP)))
    assert host.receive(0.7) is None
    echo(host, 9, b"still there")
    frame = host.receive()
    assert frame is not None
    assert parse_ip(frame).payload == icmp(ECHO_REPLY, 0xBEEF, 9, b"still there")
    good_night(host)
    assert host.finish()[1] == 0
    assert record(disk)[1] == 1


def test_a_burst_longer_than_its_ring(start: Start, disk: Path) -> None:
    host = start("appliance")
    meet(host)
    # Eight buffers: what does not fit waits in the card or is lost there, never in the guest.
    for seq in range(40):
        echo(host, seq, b"burst")
        if seq % 6 == 5:
            for wanted in range(seq - 5, seq + 1):
                frame = host.receive()
                assert frame is not None
                assert parse_ip(frame).payload == icmp(ECHO_REPLY, 0xBEEF, wanted, b"burst")
    for wanted in range(36, 40):
        frame = host.receive()
        assert frame is not None
        assert parse_ip(frame).payload == icmp(ECHO_REPLY, 0xBEEF, wanted, b"burst")
    good_night(host, check=False)
    text, code = host.finish()
    assert code == 0
    assert "appliance: answered 40 echo and " in text
    assert record(disk)[1] == 40


def test_it_goes_to_sleep_when_forgotten(start: Start, disk: Path) -> None:
    host = start("appliance")
    meet(host)
    text, code = host.finish()
    assert code == 0
    assert "appliance: no frame for too long\n" in text
    assert record(disk)[3] == 1
