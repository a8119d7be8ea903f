"""Running a guest in slices that keep the host in charge.

A slice is a number of steps for one call of `run`. It is chosen so that a slice lasts a few
hundredths of a second whatever the host and the guest do: Ctrl-C, keys and the screen are looked
at between slices, never in the middle of one, so a guest's state is always whole when we look.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Turns Ctrl-C into a flag for the duration of a `with` block.

    A second Ctrl-C half a second later, still unanswered, raises KeyboardInterrupt as usual.
    """

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0
        self._old: Any = None
        self._installed = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.requested and now - self._since > 0.5:
            raise KeyboardInterrupt
        if not self.requested:
            self._since = now
        self.requested = True

    def take(self) -> bool:
        """True once for each press: reads and clears the flag."""
        was, self.requested = self.requested, False
        return was

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._old = signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._old)
            self._installed = False


class Pacer:
    """Chooses slice lengths so that one lasts about `seconds`.

    `first` steps are small enough for an uncompiled machine to finish within half a second.
    """

    def __init__(self, first: int = 5_000, most: int = 50_000_000, seconds: float = 0.03) -> None:
        self._slice = first
        self._least = 500
        self._most = most
        self._goal = seconds
        self._started = 0.0

    def next(self, left: int | None = None) -> int:
        """Steps for the next slice, at most `left`; starts the stopwatch."""
        self._started = time.monotonic()
        return self._slice if left is None else max(0, min(self._slice, left))

    def done(self, steps: int) -> None:
        """The slice is over and made `steps` steps: adapt the next one."""
        took = time.monotonic() - self._started
        if took > 2 * self._goal:
            self._slice = max(self._least, self._slice // 2)
        elif took < self._goal / 2 and steps >= self._slice:
            self._slice = min(self._most, self._slice * 2)
