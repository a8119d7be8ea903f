"""Serial lines: their language, and each backend with somebody at the other end."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from toyvm.control.devices import DeviceSpec, make_rng, parse_device
from toyvm.control.serial import (
    BACKLOG_MAX,
    Line,
    SerialError,
    SerialSpec,
    SocketLine,
    open_serial,
    parse_serial,
)
from toyvm.control.specs import SpecError

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")


@pytest.mark.parametrize(
    "text", ["stdio", "null", "pty", "socket:localhost:4444", "socket:127.0.0.1:1,server"]
)
def test_specs_say_themselves(text: str) -> None:
    assert parse_serial(text).describe() == text


def test_paths_are_relative_to_a_folder(tmp_path: Path) -> None:
    assert parse_serial("file:log", tmp_path) == SerialSpec("file", path=tmp_path / "log")
    assert parse_serial("unix:s,server", tmp_path) == SerialSpec(
        "unix", path=tmp_path / "s", server=True
    )
    assert parse_serial("socket:[::1]:80").host == "::1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected stdio, null, file:PATH"),
        ("stdoi", 'did you mean "stdio"'),
        ("stdio:1", "expected stdio alone"),
        ("pty,server", 'unknown option "server"; expected none'),
        ("socket:localhost", "expected socket:HOST:PORT"),
        ("socket:localhost:0", "expected socket:HOST:PORT"),
        ("socket:localhost:65536", "expected socket:HOST:PORT"),
        ("socket:localhost:²", "expected socket:HOST:PORT"),
        ("socket:localhost:1,nowait", 'unknown option "nowait"; expected "server"'),
        ("file:", "expected file:PATH"),
        ("file:/", "is a directory"),
        ("file:/nosuch/folder", "no such folder: /nosuch"),
    ],
)
def test_specs_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_serial(text)
    assert "\n" not in str(caught.value)


def until(line: Line, done: Callable[[bytes], bool]) -> bytes:
    """Pump the line until what came in is enough."""
    got = b""
    deadline = time.monotonic() + 10
    while not done(got):
        assert time.monotonic() < deadline, f"only {got!r} came"
        got += line.pump()
        time.sleep(0.001)
    return got


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old content")
    line = open_serial(parse_serial("file:log", tmp_path))
    line.write(b"h\xc3\xa9\x00\xff")
    assert line.pump() == b""
    assert path.read_bytes() == b"h\xc3\xa9\x00\xff"
    line.write(b"rest")
    line.close()
    assert path.read_bytes().endswith(b"rest")
    assert (line.attended, line.fileno()) == (False, -1)


@unix_only
def test_a_file_that_cannot_be_written() -> None:
    with pytest.raises(SerialError, match=r"serial file /proc/nosuch: cannot be written"):
        open_serial(parse_serial("file:/proc/nosuch"))
    line = open_serial(parse_serial("file:/dev/full"))
    line.write(b"x")
    with pytest.raises(SerialError, match=r"/dev/full: cannot be written: No space left"):
        line.pump()
    line.close()


@unix_only
def test_a_pseudo_terminal() -> None:
    told: list[str] = []
    line = open_serial(parse_serial("pty"), told.append)
    name = told[0].removeprefix("serial line on ")
    line.write("early ö\n".encode())
    assert line.pump() == b""
    for _ in range(2):  # who comes, may go and come again
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        line.write(b"\x01\x03\n")
        line.pump()
        got = b""
        while not got.endswith(b"\x01\x03\n"):
            got += os.read(fd, 100)
        os.write(fd, b"\x03\x04\r\xff")
        assert until(line, lambda got: len(got) >= 4) == b"\x03\x04\r\xff"
        os.close(fd)
    line.close()


@unix_only
def test_nobody_reads_the_pseudo_terminal() -> None:
    line = open_serial(parse_serial("pty"))
    for _ in range(40):
        line.write(bytes(1 << 16))
        assert line.pump() == b""
    assert line.lost >= 40 * (1 << 16) - BACKLOG_MAX - (1 << 16)  # type: ignore[attr-defined]
    line.close()


def peers(kind: str, tmp_path: Path) -> tuple[str, Callable[[], socket.socket], socket.socket]:
    """A spec, how to connect to it, and a listening socket at the same place (not yet bound)."""
    if kind == "unix":
        path = tmp_path / "line"

        def connect() -> socket.socket:
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(str(path))
            return peer

        return f"unix:{path}", connect, socket.socket(socket.AF_UNIX)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return (
        f"socket:127.0.0.1:{port}",
        lambda: socket.create_connection(("127.0.0.1", port)),
        socket.socket(),
    )


SOCKETS = pytest.mark.parametrize("kind", ["socket", pytest.param("unix", marks=unix_only)])


@SOCKETS
def test_a_client(kind: str, tmp_path: Path) -> None:
    spec, _, server = peers(kind, tmp_path)
    with pytest.raises(SerialError, match="start the other side first, or add ,server"):
        open_serial(parse_serial(spec))
    where = spec.partition(":")[2]
    server.bind(where if kind == "unix" else ("127.0.0.1", int(where.rpartition(":")[2])))
    server.listen(1)
    line = open_serial(parse_serial(spec))
    peer, _ = server.accept()
    line.write(b"from the guest")
    line.pump()
    assert peer.recv(100) == b"from the guest"
    peer.sendall(b"to the guest")
    assert until(line, lambda got: len(got) == 12) == b"to the guest"
    assert line.attended
    assert line.fileno() >= 0
    peer.close()
    deadline = time.monotonic() + 10
    while line.attended and time.monotonic() < deadline:
        assert line.pump() == b""
    assert not line.attended
    line.write(b"lost")
    assert line.pump() == b""
    line.close()
    server.close()


@SOCKETS
def test_a_server_of_one_after_the_other(kind: str, tmp_path: Path) -> None:
    spec, connect, unused = peers(kind, tmp_path)
    unused.close()
    line = open_serial(parse_serial(spec + ",server"))
    line.write(b"early ")
    assert line.pump() == b""
    for number in range(2):
        peer = connect()
        peer.sendall(b"%d" % number)
        assert until(line, bool) == b"%d" % number
        line.write(b"late")
        line.pump()
        assert peer.recv(100) == (b"early late" if number == 0 else b"late")
        peer.close()
        assert isinstance(line, SocketLine)
        deadline = time.monotonic() + 10
        while line._peer is not None and time.monotonic() < deadline:
            line.pump()
        assert line.attended
    line.close()
    if kind == "unix":
        assert not (tmp_path / "line").exists()


@unix_only
def test_a_socket_of_a_dead_server_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "line"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    open_serial(parse_serial(f"unix:{path},server")).close()
    path.write_text("mine")
    with pytest.raises(SerialError, match="choose another"):
        open_serial(parse_serial(f"unix:{path},server"))
    assert path.read_text() == "mine"


# -- devices -----------------------------------------------------------------------------------


def test_device_specs() -> None:
    assert parse_device("virtio-console") == DeviceSpec("virtio-console", SerialSpec("stdio"))
    assert parse_device("virtio-console,null").serial == SerialSpec("null")
    assert parse_device("virtio-rng") == DeviceSpec("virtio-rng", seed=0)
    assert parse_device("virtio-rng,seed=7").seed == 7
    assert parse_device("virtio-rng,host").seed is None
    seven = make_rng(parse_device("virtio-rng,seed=7"))._source(32)
    assert seven == make_rng(parse_device("virtio-rng,seed=7"))._source(32)
    assert seven != make_rng(parse_device("virtio-rng"))._source(32)
    assert make_rng(parse_device("virtio-rng,host"))._source is os.urandom


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("virtio-rgn", 'did you mean "virtio-rng"'),
        ("virtio-rng,", "expected seed=N or host"),
        ("virtio-rng,seed=x", "expected seed=N or host"),
        ("virtio-rng,seed=" + "9" * 40, "expected seed=N or host"),
        ("virtio-console,nil", "--device virtio-console"),
    ],
)
def test_device_specs_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_device(text)
