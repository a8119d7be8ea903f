"""The host's standard input as a stream of bytes for a guest, read without ever blocking it.

On Unix this is select(); elsewhere a thread reads ahead. The end of the input is a fact to
report, not a reason to stop: a guest lives on without a keyboard.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterable

from .rawterm import in_foreground

_CHUNK = 4096


class InputSource:
    """Bytes from file descriptor `fd` as they come; None means there is no input at all."""

    def __init__(self, fd: int | None, threaded: bool | None = None) -> None:
        self.fd = fd
        self.ended = fd is None
        if fd is not None and os.isatty(fd) and hasattr(os, "tcgetpgrp") and not in_foreground(fd):
            # A background job that reads its terminal is stopped by the kernel.
            self.ended = True
        self._queue: queue.SimpleQueue[bytes] | None = None
        if threaded is None:
            threaded = sys.platform == "win32"
        if threaded and not self.ended:
            self._queue = queue.SimpleQueue()
            threading.Thread(target=self._read_ahead, daemon=True).start()

    @classmethod
    def standard(cls) -> InputSource:
        """The process's own standard input, or an ended source when it is closed."""
        try:
            return cls(sys.stdin.fileno())
        except (AttributeError, ValueError, OSError):
            return cls(None)

    def _read_ahead(self) -> None:
        assert self._queue is not None
        assert self.fd is not None
        while True:
            try:
                data = os.read(self.fd, _CHUNK)
            except OSError:
                data = b""
            self._queue.put(data)
            if not data:
                return

    def poll(self, timeout: float = 0.0, also: Iterable[int] = ()) -> bytes:
        """Bytes that are there now, waiting at most `timeout` seconds; b"" when none came.

        `also` are further descriptors whose readiness ends the wait early. When the input is
        over, `ended` becomes True; with nothing to wait for, the time is slept away.
        """
        others = list(also)
        if self._queue is not None:
            return self._poll_queue(timeout)
        watch = ([] if self.ended or self.fd is None else [self.fd]) + others
        if not watch:
            if timeout > 0:
                time.sleep(timeout)
            return b""
        import select

        try:
            ready, _, _ = select.select(watch, [], [], timeout)
        except (OSError, ValueError):
            self.ended = True
            return b""
        if self.ended or self.fd not in ready:
            return b""
        assert self.fd is not None
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.ended = True
        return data

    def _poll_queue(self, timeout: float) -> bytes:
        assert self._queue is not None
        if self.ended:
            if timeout > 0:
                time.sleep(timeout)
            return b""
        try:
            data = self._queue.get(timeout=timeout) if timeout > 0 else self._queue.get_nowait()
        except queue.Empty:
            return b""
        if not data:
            self.ended = True
        return data
