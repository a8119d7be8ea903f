"""teachos, seen from the other end of its cable: what it sends, and what it makes of answers."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

from .frames import (
    BROADCAST,
    ECHO_REPLY,
    ECHO_REQUEST,
    ICMP,
    TYPE_ARP,
    TYPE_IP,
    UDP,
    arp,
    ethernet,
    icmp,
    ipv4,
    parse_ip,
    udp,
)
from .hosts import Host

US = bytes.fromhex("02005e10aa02")
OUR_IP = "10.0.0.2"
ITS_IP = "10.0.0.1"
PINGS = 4
Start = Callable[[str], Host]


def answer_arp(host: Host, frame: bytes) -> None:
    assert frame[:14] == BROADCAST + host.mac + struct.pack(">H", TYPE_ARP)
    assert frame[14:42] == arp(1, host.mac, ITS_IP, bytes(6), OUR_IP)
    host.send(ethernet(host.mac, US, TYPE_ARP, arp(2, US, OUR_IP, host.mac, ITS_IP)))


def reply(host: Host, message: bytes) -> None:
    host.send(ethernet(host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, ICMP, message)))


def request(host: Host, seconds: float = 10.0) -> tuple[int, int, bytes]:
    """(identifier, sequence number, data) of the next echo request."""
    frame = host.receive(seconds)
    assert frame is not None, "no echo request"
    packet = parse_ip(frame)
    assert (packet.dst_mac, packet.src_mac) == (US, host.mac)
    assert (packet.src, packet.dst, packet.protocol) == (ITS_IP, OUR_IP, ICMP)
    kind, code, _, ident, seq = struct.unpack(">BBHHH", packet.payload[:8])
    assert (kind, code) == (ECHO_REQUEST, 0)
    return ident, seq, packet.payload[8:]


def next_arp(host: Host) -> bytes:
    frame = host.receive()
    assert frame is not None, "no ARP request"
    return frame


def test_four_pings_then_good_night(start: Start, disk: Path) -> None:
    host = start("teachos")
    answer_arp(host, next_arp(host))
    for wanted in range(1, PINGS + 1):
        ident, seq, data = request(host)
        assert (seq, len(data)) == (wanted, 32)
        reply(host, icmp(ECHO_REPLY, ident, seq, data))
    frame = host.receive()
    assert frame is not None, "no good-night datagram"
    packet = parse_ip(frame)
    assert packet.protocol == UDP
    assert packet.payload == udp(ITS_IP, OUR_IP, 9, 9, b"good night")
    text, code = host.finish()
    assert code == 0
    lines = re.findall(r"seq (\d+) time (\d+) ticks \((\d+)\.(\d) us\)$", text, re.M)
    assert [int(line[0]) for line in lines] == [1, 2, 3, 4]
    for _, ticks, micros, tenth in lines:
        assert int(ticks) == int(micros) * 10 + int(tenth) > 0
    assert "ping 10.0.0.2: replies 4 of 4\n" in text
    magic, starts = struct.unpack("<4sI", disk.read_bytes()[:8])
    assert (magic, starts) == (b"teac", 1)


def test_no_neighbour(start: Start) -> None:
    host = start("teachos")
    for _ in range(PINGS):
        assert next_arp(host)[14:42] == arp(1, host.mac, ITS_IP, bytes(6), OUR_IP)
    text, code = host.finish()
    assert code == 0
    assert re.findall(r"seq (\d) no reply$", text, re.M) == ["1", "2", "3", "4"]
    assert "ping 10.0.0.2: replies 0 of 4\n" in text
    assert host.receive(0.1) is None, "good night to nobody"


def test_only_the_right_reply_counts(start: Start) -> None:
    host = start("teachos")
    first = next_arp(host)
    # An answer about somebody else, then the real one.
    host.send(ethernet(host.mac, US, TYPE_ARP, arp(2, US, "10.0.0.9", host.mac, ITS_IP)))
    answer_arp(host, first)
    ident, seq, data = request(host)
    reply(host, icmp(ECHO_REPLY, ident ^ 1, seq, data))
    reply(host, icmp(ECHO_REPLY, ident, seq + 1, data))
    reply(host, icmp(ECHO_REPLY, ident, seq, data[:-1] + b"?"))
    reply(host, icmp(ECHO_REPLY, ident, seq, data[:-1]))
    spoiled = bytearray(icmp(ECHO_REPLY, ident, seq, data))
    spoiled[2] ^= 0x10
    reply(host, bytes(spoiled))
    # None of these was it: the request times out and the next one follows, without ARP.
    ident, seq, data = request(host)
    assert seq == 2
    for wanted in range(2, PINGS + 1):
        assert seq == wanted
        reply(host, icmp(ECHO_REPLY, ident, seq, data))
        reply(host, icmp(ECHO_REPLY, ident, seq, data))  # twice: the second is too late
        if wanted < PINGS:
            ident, seq, data = request(host)
    text, code = host.finish()
    assert code == 0
    assert re.findall(r"seq (\d) no reply$", text, re.M) == ["1"]
    assert "ping 10.0.0.2: replies 3 of 4\n" in text


def test_it_answers_while_it_asks(start: Start) -> None:
    host = start("teachos")
    first = next_arp(host)
    host.send(ethernet(BROADCAST, US, TYPE_ARP, arp(1, US, OUR_IP, bytes(6), ITS_IP)))
    frame = host.receive()
    assert frame is not None
    assert frame[14:42] == arp(2, host.mac, ITS_IP, US, OUR_IP)
    answer_arp(host, first)
    request(host)
    message = icmp(ECHO_REQUEST, 77, 1, b"and you?")
    host.send(ethernet(host.mac, US, TYPE_IP, ipv4(OUR_IP, ITS_IP, ICMP, message)))
    frame = host.receive()
    assert frame is not None
    assert parse_ip(frame).payload == icmp(ECHO_REPLY, 77, 1, b"and you?")
