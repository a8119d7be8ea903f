"""Captures, read back by scapy, by tshark where it is installed, and by hand."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from decimal import Decimal

import pytest

from tests.network.test_switch import A, B, Lab, frame
from toyvm.network import BROADCAST, PcapWriter

TIMES = [0, 1, 999_999_999, 1_000_000_000, 12_345_678_901_234]


def packets() -> list[bytes]:
    """Real frames, made by scapy: ARP and ICMP echo."""
    scapy = pytest.importorskip("scapy.all")
    ether = scapy.Ether(src="52:54:00:00:00:01", dst="52:54:00:00:00:02")
    ip = scapy.IP(src="10.0.0.1", dst="10.0.0.2")
    return [
        bytes(scapy.Ether(src=ether.src, dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(pdst="10.0.0.2")),
        bytes(ether / ip / scapy.ICMP(id=7, seq=1) / b"ping"),
        bytes(ether / ip / scapy.ICMP(type=0, id=7, seq=1) / b"ping"),
        bytes(ether / ip / scapy.ICMP(id=7, seq=2) / bytes(1400)),
        bytes(ether / ip / scapy.UDP(sport=1, dport=2) / b"x"),
    ]


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "net.pcap"
    with PcapWriter(path) as writer:
        for data, time in zip(packets(), TIMES, strict=True):
            writer.write(data, time)
    assert writer.frames == 5
    assert writer.error == ""
    return path


def test_scapy_reads_it(capture):
    scapy = pytest.importorskip("scapy.all")
    with scapy.PcapReader(str(capture)) as reader:
        got = list(reader)
    assert [bytes(packet) for packet in got] == packets()
    assert [Decimal(packet.time) for packet in got] == [Decimal(t) / 10**9 for t in TIMES]
    assert got[1][scapy.ICMP].seq == 1


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_it(capture):
    command = ["tshark", "-r", str(capture), "-T", "fields", "-e", "frame.len"]
    command += ["-e", "frame.time_relative", "-e", "_ws.col.Protocol"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[0]) for row in rows] == [len(data) for data in packets()]
    assert [Decimal(row[1]) for row in rows] == [Decimal(time) / 10**9 for time in TIMES]
    assert [row[2] for row in rows] == ["ARP", "ICMP", "ICMP", "ICMP", "UDP"]


def test_bytes_of_the_format():
    out = io.BytesIO()
    writer = PcapWriter(out)
    writer.write(b"\xaa" * 60, 2_000_000_005)
    writer.write(b"\xbb" * 70_000)
    writer.close()
    data = out.getvalue()
    assert struct.unpack_from("<IHHiIII", data) == (0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    assert struct.unpack_from("<IIII", data, 24) == (2, 5, 60, 60)
    assert data[40:100] == b"\xaa" * 60
    assert struct.unpack_from("<IIII", data, 100) == (0, 0, 65535, 70_000)
    assert len(data) == 116 + 65535


def test_a_switch_captures_each_frame_once_with_its_time():
    out, clock = io.BytesIO(), [0]
    writer = PcapWriter(out)
    lab = Lab(4, now_ns=lambda: clock[0], capture=writer)
    for n in range(3):
        clock[0] = n * 1_000_000_100
        lab.ports[n].send(frame(BROADCAST, bytes([2, 0, 0, 0, 0, n])))
    lab.ports[0].send(b"short")
    lab.switch.deliver()
    assert writer.frames == 3
    record = struct.unpack_from("<IIII", out.getvalue(), 24 + 2 * (16 + 60))
    assert record == (2, 200, 60, 60)


class FullDisk(io.RawIOBase):
    """A file on a host without space after the first 100 bytes."""

    room = 100

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)


def test_a_full_host_disk_ends_the_capture_not_the_traffic():
    writer = PcapWriter(FullDisk())
    lab = Lab(2, capture=writer)
    for _ in range(3):
        lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert len(lab.got[1]) == 3
    assert writer.frames == 1
    assert "stopped after 1 frames" in writer.error
    assert "No space left" in writer.error


def test_a_path_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        PcapWriter(tmp_path / "nowhere" / "net.pcap")
