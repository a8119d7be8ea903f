"""Ethernet, ARP, IPv4, ICMP and UDP for the tests, written from the RFCs (826, 791, 792, 768)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

BROADCAST = b"\xff" * 6
TYPE_IP = 0x0800
TYPE_ARP = 0x0806
ICMP = 1
UDP = 17
ECHO_REQUEST = 8
ECHO_REPLY = 0


def checksum(data: bytes) -> int:
    """RFC 1071: the complement of the one's complement sum of the 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def ethernet(dst: bytes, src: bytes, kind: int, payload: bytes) -> bytes:
    return (dst + src + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def arp(oper: int, sha: bytes, spa: str, tha: bytes, tpa: str) -> bytes:
    head = struct.pack(">HHBBH", 1, TYPE_IP, 6, 4, oper)
    return head + sha + address(spa) + tha + address(tpa)


def ipv4(src: str, dst: str, protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    def header(check: int) -> bytes:
        fields = (0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, check)
        return struct.pack(">BBHHHBBH", *fields) + address(src) + address(dst)

    return header(checksum(header(0))) + payload


def icmp(kind: int, ident: int, seq: int, data: bytes, code: int = 0) -> bytes:
    def message(check: int) -> bytes:
        return struct.pack(">BBHHH", kind, code, check, ident, seq) + data

    return message(checksum(message(0)))


def udp(src: str, dst: str, sport: int, dport: int, data: bytes, check: bool = True) -> bytes:
    length = 8 + len(data)
    pseudo = address(src) + address(dst) + struct.pack(">BBH", 0, UDP, length)
    head = struct.pack(">HHHH", sport, dport, length, 0)
    value = (checksum(pseudo + head + data) or 0xFFFF) if check else 0
    return struct.pack(">HHHH", sport, dport, length, value) + data


@dataclass(frozen=True)
class Packet:
    """A received IPv4 packet, after all its checksums were found right."""

    dst_mac: bytes
    src_mac: bytes
    src: str
    dst: str
    ttl: int
    protocol: int
    payload: bytes


def parse_ip(frame: bytes) -> Packet:
    """The packet in a frame; AssertionError if anything in it is malformed."""
    assert len(frame) >= 60, "shorter than Ethernet allows"
    assert frame[12:14] == struct.pack(">H", TYPE_IP)
    assert frame[14] == 0x45
    assert checksum(frame[14:34]) == 0, "IP header checksum"
    (length,) = struct.unpack(">H", frame[16:18])
    assert 20 <= length <= len(frame) - 14
    assert not any(frame[14 + length :]), "padding that is not zero"
    src, dst = (".".join(str(b) for b in frame[at : at + 4]) for at in (26, 30))
    payload = frame[34 : 14 + length]
    if frame[23] == ICMP:
        assert checksum(payload) == 0, "ICMP checksum"
    if frame[23] == UDP:
        assert struct.unpack(">H", payload[4:6])[0] == len(payload)
        pseudo = frame[26:34] + struct.pack(">BBH", 0, UDP, len(payload))
        assert checksum(pseudo + payload) == 0, "UDP checksum"
    return Packet(frame[0:6], frame[6:12], src, dst, frame[22], frame[23], payload)
