"""Tasks in processes of their own, a few at a time; each returns a text."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def forked(
    tasks: Iterable[tuple[Any, Callable[[], str]]], jobs: int
) -> Iterator[tuple[Any, str | None]]:
    """(key, text) of each task as they end; None for one whose process crashed.

    A process that is given up (the caller leaves) is ended.
    """
    waiting = iter(tasks)
    running: dict[int, tuple[Any, int, list[bytes]]] = {}
    selector = selectors.DefaultSelector()
    try:
        while True:
            while len(running) < jobs:
                task = next(waiting, None)
                if task is None:
                    break
                reading, child = _start(task[1])
                running[reading] = task[0], child, []
                selector.register(reading, selectors.EVENT_READ)
            if not running:
                return
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                name, child, parts = running[key.fd]
                if data:
                    parts.append(data)
                    continue
                selector.unregister(key.fd)
                os.close(key.fd)
                del running[key.fd]
                _, status = os.waitpid(child, 0)
                yield name, None if status else b"".join(parts).decode()
    finally:
        for reading, (_, child, _) in running.items():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
        selector.close()


def _start(work: Callable[[], str]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    code = 1
    with contextlib.suppress(BaseException):
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        data = work().encode()
        while data:
            data = data[os.write(writing, data) :]
        code = 0
    os._exit(code)
