"""Sizes, drives and network cards as text."""

from __future__ import annotations

import pytest

from toyvm.control.specs import (
    SpecError,
    parse_drive,
    parse_mac,
    parse_net,
    parse_ram,
    parse_size,
    valid_name,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64K", 1 << 16),
        ("128M", 128 << 20),
        ("2g", 2 << 30),
        ("1MiB", 1 << 20),
        ("0x10000", 65536),
        (65536, 65536),
        (" 4096 ", 4096),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "12Q", "-1M", "1.5M", "lots"])
def test_bad_sizes(text):
    with pytest.raises(SpecError, match="expected a number with K, M or G"):
        parse_size(text)


def test_ram_limits():
    assert parse_ram("64K") == 64 << 10
    assert parse_ram("2G") == 2 << 30
    for text in ("63K", "2049M", "0"):
        with pytest.raises(SpecError, match="does not fit: expected 64K to 2G"):
            parse_ram(text)
    with pytest.raises(SpecError, match="did you mean 128M"):
        parse_ram("128")
    with pytest.raises(SpecError, match="the nearest are 64K and 68K"):
        parse_ram("66000")


def test_drives(tmp_path):
    disk = tmp_path / "d.img"
    disk.write_bytes(bytes(1024))
    assert parse_drive("d.img", tmp_path).path == disk
    assert not parse_drive("d.img", tmp_path).read_only
    assert parse_drive("d.img,ro", tmp_path).read_only
    assert parse_drive("temp:64K").size == 65536
    assert parse_drive("temp:d.img", tmp_path).path == disk


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected FILE"),
        ("none.img", "no such file"),
        (".", "is a directory"),
        ("temp:100", "whole sectors"),
        ("temp:0", "whole sectors"),
        ("temp:2G", "512 bytes to 1G"),
        ("temp:1M,ro", "cannot be read-only"),
        ("x.img,rw", 'unknown option "rw"'),
    ],
)
def test_bad_drives(text, message, tmp_path):
    with pytest.raises(SpecError, match=message):
        parse_drive(text, tmp_path)


def test_nets(tmp_path):
    assert parse_net("none").kind == "none"
    spec = parse_net("socket:127.0.0.1:1234,mac=52:54:00:AA:bb:cc,pcap=x.pcap", tmp_path)
    assert (spec.kind, spec.host, spec.port) == ("socket", "127.0.0.1", 1234)
    assert spec.mac == "52:54:00:aa:bb:cc"
    assert spec.pcap == tmp_path / "x.pcap"
    assert parse_net("listen:[::1]:99").host == "::1"
    assert parse_net("lan", switches=("lan",)).switch == "lan"


@pytest.mark.parametrize(
    ("text", "switches", "message"),
    [
        ("nnone", None, 'did you mean "none"'),
        ("socket:host", None, "expected socket:HOST:PORT"),
        ("socket:host:99999", None, "expected socket:HOST:PORT"),
        ("none,mac=1", None, "expected six bytes"),
        ("none,mac=53:54:00:12:34:56", None, "is a group address"),
        ("none,speed=9", None, 'unknown option "speed=9"'),
        ("none,pcap=nowhere/x.pcap", None, "no such folder"),
        ("lna", ("lan",), 'did you mean "lan"'),
        ("lan", (), "this lab has none"),
    ],
)
def test_bad_nets(text, switches, message):
    with pytest.raises(SpecError, match=message):
        parse_net(text, switches=switches)


def test_names():
    assert valid_name("web-1")
    for text in ("", "1a", "a b", "a/b", "x" * 33):
        assert not valid_name(text)
    with pytest.raises(SpecError):
        parse_mac("52:54:00:12:34")
