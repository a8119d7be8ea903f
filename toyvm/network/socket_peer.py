"""A peer over TCP that speaks QEMU's socket netdev: each frame behind its length.

The other end is ``-netdev socket,listen=HOST:PORT`` (or ``connect=``, for a listening peer here).
A frame is a 4-byte big-endian length and then that many bytes, without padding.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Final

FRAME_LIMIT: Final = 4096 + 65_536
"""Longest frame that QEMU accepts in the stream; a larger length means the stream is garbled."""
OUT_LIMIT: Final = 1 << 20
"""Bytes that wait for a slow peer; frames beyond are dropped."""
READ_MAX: Final = 1 << 18
"""Bytes taken from the peer by one poll."""
CONNECT_SECONDS: Final = 5.0


class PeerError(OSError):
    """The peer cannot be reached; the text says where it was sought and what to do."""


class SocketPeer:
    """One TCP connection to a QEMU (or another of these).

    Connects to ``host``:``port`` at once, or with ``listen`` waits there for one connection
    without blocking (port 0 lets the host choose; see ``address``).  Raises PeerError if that
    fails.  After trouble the cable is dead: ``error`` says why, frames are dropped and counted.
    """

    def __init__(self, host: str, port: int, listen: bool = False) -> None:
        self.on_frame: Callable[[bytes], None] | None = None
        self.error = ""
        """Why the connection ended; empty while it has not."""
        self.frames_in = 0
        self.frames_out = 0
        self.drops = 0
        self._in = bytearray()
        self._out = bytearray()
        self._listener: socket.socket | None = None
        self._socket: socket.socket | None = None
        try:
            if listen:
                self._listener = socket.create_server((host, port), backlog=1)
                self._listener.setblocking(False)
                self.address = self._listener.getsockname()[:2]
            else:
                self._socket = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
                self._adopt(self._socket)
                self.address = self._socket.getpeername()[:2]
        except (OSError, OverflowError) as trouble:
            action = "listen at" if listen else "connect to"
            hint = (
                "choose a free port"
                if listen
                else f"start the other side first, as in -netdev socket,id=n0,listen={host}:{port}"
            )
            why = (trouble.strerror if isinstance(trouble, OSError) else None) or trouble
            raise PeerError(f"cannot {action} {host}:{port}: {why}; {hint}") from None

    @staticmethod
    def _adopt(connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def connected(self) -> bool:
        """True while frames can pass."""
        return self._socket is not None

    @property
    def listening(self) -> bool:
        """True while nobody has connected yet."""
        return self._listener is not None

    def accept(self, seconds: float) -> bool:
        """Wait so long for somebody to connect; False if nobody did."""
        if self._listener is not None:
            select.select([self._listener], [], [], seconds)
            self._accept()
        return self._listener is None

    def fileno(self) -> int:
        """The descriptor that becomes readable when the peer has something for us; -1: none."""
        end = self._socket or self._listener
        return -1 if end is None else end.fileno()

    def send(self, frame: bytes) -> None:
        """Send a frame, or queue it behind those that the peer has not taken yet."""
        waits_for_peer = self._socket is None and self._listener is None
        if waits_for_peer or len(self._out) + 4 + len(frame) > OUT_LIMIT:
            self.drops += 1
            return
        self._out += len(frame).to_bytes(4, "big") + frame
        self.frames_out += 1
        self._flush()

    def poll(self) -> int:
        """Accept, send and receive what is possible now; returns the number of frames received."""
        self._accept()
        self._flush()
        if self._receive():
            return self._dispatch()
        return 0

    def close(self) -> None:
        """End the connection."""
        self._end("closed")

    # -- inside -----------------------------------------------------------------------------------

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as trouble:
            self._end(str(trouble))
            return
        self._adopt(connection)
        self._listener.close()
        self._listener, self._socket = None, connection

    def _flush(self) -> None:
        while self._out and self._socket is not None:
            try:
                sent = self._socket.send(self._out)
            except BlockingIOError:
                return
            except OSError as trouble:
                self._end(str(trouble))
                return
            del self._out[:sent]

    def _receive(self) -> bool:
        """Take what the peer sent; True if there is anything to look at."""
        if self._socket is None:
            return False
        try:
            data = self._socket.recv(READ_MAX)
        except BlockingIOError:
            return False
        except OSError as trouble:
            self._end(str(trouble))
            return False
        if not data:
            self._end("the peer closed the connection")
            return False
        self._in += data
        return True

    def _dispatch(self) -> int:
        count = at = 0
        while len(self._in) - at >= 4:
            length = int.from_bytes(self._in[at : at + 4], "big")
            if not 0 < length <= FRAME_LIMIT:
                self._end(f"garbled stream: frame of {length} bytes, expected 1 to {FRAME_LIMIT}")
                return count
            if len(self._in) - at < 4 + length:
                break
            frame = bytes(self._in[at + 4 : at + 4 + length])
            at += 4 + length
            count += 1
            self.frames_in += 1
            if self.on_frame is None:
                self.drops += 1
            else:
                self.on_frame(frame)
        del self._in[:at]
        return count

    def _end(self, why: str) -> None:
        self.error = self.error or why
        for end in (self._socket, self._listener):
            if end is not None:
                end.close()
        self._socket = self._listener = None
        self._in.clear()
        self._out.clear()
