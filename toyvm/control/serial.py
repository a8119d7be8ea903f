"""Where a guest's serial line leads: the language of `--serial` and of consoles, and its backends.

    stdio                        the terminal, or whatever stdin and stdout are
    null                         output is thrown away, nothing comes in
    file:PATH                    output into a file
    pty                          a new pseudo-terminal, whose name is told
    socket:HOST:PORT[,server]    a TCP connection; with `server` others connect to us
    unix:PATH[,server]           the same through a socket in the file system

A backend never blocks a guest: what nobody takes waits, up to 1 MiB, and then the oldest bytes are
lost and counted.  A server serves one peer at a time and waits for nobody.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from toyvm.control.specs import SpecError
from toyvm.ui.text import did_you_mean

KINDS: Final = ("stdio", "null", "file", "pty", "socket", "unix")
EXPECTED: Final = "stdio, null, file:PATH, pty, socket:HOST:PORT or unix:PATH"
BACKLOG_MAX: Final = 1 << 20
"""Bytes of output that wait for somebody to take them."""
_CHUNK: Final = 4096
_AGAIN: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


class SerialError(OSError):
    """A serial line that cannot be opened; the text says why and what to do."""


@dataclass(frozen=True)
class SerialSpec:
    """One line: `kind` is one of KINDS, the rest belongs to some of them."""

    kind: str
    path: Path | None = None
    host: str = ""
    port: int = 0
    server: bool = False

    def describe(self) -> str:
        """The spec in its own language."""
        text = self.kind
        if self.kind == "socket":
            text += f":{self.host}:{self.port}"
        elif self.path is not None:
            text += f":{self.path}"
        return text + (",server" if self.server else "")


def parse_serial(text: str, base: Path = Path(), what: str = "--serial") -> SerialSpec:
    """Read a spec; relative paths are taken from `base`.  SpecError says what was expected."""
    body, _, options = text.partition(",")
    kind, colon, rest = body.partition(":")
    server = options == "server"
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        raise SpecError(f'{what} "{text}": expected {EXPECTED}{near}')
    if options and not (server and kind in ("socket", "unix")):
        allowed = '"server"' if kind in ("socket", "unix") else "none"
        raise SpecError(f'{what} "{text}": unknown option "{options}"; expected {allowed}')
    if kind in ("stdio", "null", "pty"):
        if colon:
            raise SpecError(f'{what} "{text}": expected {kind} alone')
        return SerialSpec(kind)
    if kind == "socket":
        host, _, port = rest.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
            raise SpecError(
                f'{what} "{text}": expected socket:HOST:PORT such as socket:127.0.0.1:4444'
            )
        return SerialSpec(kind, host=host.strip("[]"), port=int(port), server=server)
    if not rest:
        raise SpecError(f'{what} "{text}": expected {kind}:PATH')
    path = base / Path(rest).expanduser()
    if path.is_dir():
        raise SpecError(f'{what} "{text}": {path} is a directory')
    if not path.parent.is_dir():
        raise SpecError(f'{what} "{text}": no such folder: {path.parent}')
    return SerialSpec(kind, path=path, server=server)


class Line(Protocol):
    """The host's end of a serial line."""

    def write(self, data: bytes) -> None:
        """Take bytes of the guest; never blocks and never fails."""

    def pump(self) -> bytes:
        """Pass on what waits, return what has come in; OSError if the host has trouble."""

    def fileno(self) -> int:
        """The descriptor to wait at for input; -1 if there is none now."""

    def close(self) -> None:
        """Pass on the rest and release everything."""

    @property
    def attended(self) -> bool:
        """True while input may still come."""


class NullLine:
    """Nobody at the other end."""

    attended = False

    def write(self, data: bytes) -> None:
        """Thrown away."""

    def pump(self) -> bytes:
        return b""

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing to release."""


class FileLine(NullLine):
    """Output into a file, which is emptied first."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise SerialError(f"serial file {path}: cannot be written: {error.strerror}") from None
        self._name = str(path)
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += data

    def pump(self) -> bytes:
        try:
            while self._waiting:
                done = self._file.write(self._waiting)
                del self._waiting[:done]
        except OSError as error:
            self._waiting.clear()
            raise SerialError(
                f"serial file {self._name}: cannot be written: {error.strerror}"
            ) from None
        return b""

    def close(self) -> None:
        try:
            self.pump()
        finally:
            self._file.close()


class DescriptorLine:
    """A descriptor that is read and written without blocking: pseudo-terminals and sockets."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.lost = 0
        """Bytes of output that nobody took in time."""

    attended = True

    def write(self, data: bytes) -> None:
        self._waiting += data
        excess = len(self._waiting) - BACKLOG_MAX
        if excess > 0:
            self.lost += excess
            del self._waiting[:excess]

    def fileno(self) -> int:
        raise AssertionError("a base class")

    def _gone(self) -> None:
        """The peer has left."""

    def pump(self) -> bytes:
        fd = self.fileno()
        if fd < 0:
            return b""
        try:
            while self._waiting:
                done = os.write(fd, self._waiting[: 1 << 16])
                del self._waiting[:done]
        except OSError as error:
            if error.errno not in _AGAIN:
                self._gone()
                return b""
        try:
            data = os.read(fd, _CHUNK)
        except OSError as error:
            if error.errno not in _AGAIN:
                self._gone()
            return b""
        if not data:
            self._gone()
        return data

    def close(self) -> None:
        with suppress(OSError):
            self.pump()


class PtyLine(DescriptorLine):
    """A new pseudo-terminal; `name` is what a terminal program opens.

    It is in raw mode, and it outlives those who open and close it.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            import pty
            import tty
        except ImportError:
            raise SerialError("pty: this system has no pseudo-terminals") from None
        try:
            self._master, self._slave = pty.openpty()
        except OSError as error:
            raise SerialError(f"pty: cannot be opened: {error.strerror}") from None
        # Our own slave stays open: without it a read fails whenever nobody else is there.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)

    def fileno(self) -> int:
        return self._master

    def close(self) -> None:
        super().close()
        os.close(self._master)
        os.close(self._slave)


class SocketLine(DescriptorLine):
    """A stream socket: connected when it is opened, or a server for one peer after the other."""

    def __init__(self, spec: SerialSpec) -> None:
        super().__init__()
        self._spec = spec
        self._peer: socket.socket | None = None
        self._server: socket.socket | None = None
        try:
            if spec.server:
                self._server = self._listen()
            else:
                self._peer = self._connect()
        except OSError as error:
            why = error.strerror or str(error)
            hint = "choose another" if spec.server else "start the other side first, or add ,server"
            raise SerialError(f"serial {spec.describe()}: {why}; {hint}") from None

    def _listen(self) -> socket.socket:
        spec = self._spec
        if spec.kind == "unix":
            server = socket.socket(socket.AF_UNIX)
            with suppress(OSError):
                # A socket that a former run left behind; anything else stays and is an error.
                if spec.path is not None and spec.path.is_socket():
                    spec.path.unlink()
            server.bind(str(spec.path))
            server.listen(1)
        else:
            server = socket.create_server((spec.host, spec.port), backlog=1)
        server.setblocking(False)
        return server

    def _connect(self) -> socket.socket:
        spec = self._spec
        if spec.kind == "unix":
            peer = socket.socket(socket.AF_UNIX)
            try:
                peer.connect(str(spec.path))
            except OSError:
                peer.close()
                raise
        else:
            peer = socket.create_connection((spec.host, spec.port), timeout=10)
        peer.setblocking(False)
        return peer

    @property
    def attended(self) -> bool:  # type: ignore[override]
        return self._peer is not None or self._server is not None

    def fileno(self) -> int:
        """The peer, or the server that waits for one."""
        active = self._peer or self._server
        return -1 if active is None else active.fileno()

    def pump(self) -> bytes:
        if self._peer is None and self._server is not None:
            try:
                self._peer, _ = self._server.accept()
                self._peer.setblocking(False)
            except OSError:
                return b""
        return super().pump() if self._peer is not None else b""

    def _gone(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        super().close()
        self._gone()
        if self._server is not None:
            self._server.close()
            if self._spec.kind == "unix" and self._spec.path is not None:
                with suppress(OSError):
                    self._spec.path.unlink()


def open_serial(spec: SerialSpec, tell: Callable[[str], None] = lambda text: None) -> Line:
    """Open the backend of a spec other than stdio; SerialError says what is wrong.

    `tell` hears where to connect: the name of a pseudo-terminal.
    """
    if spec.kind == "null":
        return NullLine()
    if spec.kind == "file":
        assert spec.path is not None
        return FileLine(spec.path)
    if spec.kind == "pty":
        line = PtyLine()
        tell(f"serial line on {line.name}")
        return line
    if spec.kind == "unix" and not hasattr(socket, "AF_UNIX"):
        raise SerialError("serial unix: this system has no such sockets; use socket:HOST:PORT")
    return SocketLine(spec)
