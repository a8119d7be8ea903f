"""Progress of slow, rare work: compiling the machine on the first run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from .theme import live_wanted, rich_console

Report = Callable[[str, int, int], None]

#: Work that is over sooner than this shows nothing: a cached start is not worth a bar.
QUIET_SECONDS = 0.8


class _Plain:
    """One line when the work turns out to be slow, one when it is done."""

    def __init__(self, title: str, out: IO[str]) -> None:
        self.title, self.out = title, out
        self.shown = False
        self.last = 0.0

    def update(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self.shown:
            self.out.write(f"toyvm: {self.title} (first run only, up to half a minute) ...\n")
            self.shown = True
        elif now - self.last > 5 and total:
            self.out.write(f"toyvm: {self.title}: {done} of {total} done\n")
        else:
            return
        self.last = now
        self.out.flush()

    def close(self, seconds: float, finished: bool) -> None:
        if self.shown and finished:
            self.out.write(f"toyvm: {self.title}: done in {seconds:.0f} s; next time it is ready\n")
            self.out.flush()


class _Rich:
    """A bar with the kernel that is being compiled."""

    def __init__(self, title: str, out: IO[str]) -> None:
        self.title, self.out = title, out
        self.view: Any = None
        self.task: Any = None

    def update(self, name: str, done: int, total: int) -> None:
        if self.view is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self.view = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}"),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[kernel]}"),
                console=rich_console(self.out),
                transient=True,
            )
            self.view.start()
            self.task = self.view.add_task(
                f"{self.title} (first run only)", total=total, kernel=name
            )
        # The number of kernels is an estimate by the caller: never show 41/40.
        self.view.update(self.task, completed=done, total=max(total, done), kernel=name)

    def close(self, seconds: float, finished: bool) -> None:
        if self.view is None:
            return
        self.view.stop()
        if finished:
            self.out.write(f"{self.title}: done in {seconds:.0f} s; next time it is ready\n")
            self.out.flush()


@contextmanager
def compile_progress(
    title: str = "compiling the machine", stream: IO[str] | None = None, show: bool = True
) -> Iterator[Report]:
    """A report function (name, done, total) that shows itself only if the work is slow.

    `stream` defaults to stderr, so that a guest's own output stays alone on stdout.
    """
    out = sys.stderr if stream is None else stream
    view = _Rich(title, out) if live_wanted(out) else _Plain(title, out)
    began = time.monotonic()

    def report(name: str, done: int, total: int) -> None:
        if show and time.monotonic() - began >= QUIET_SECONDS:
            view.update(name, done, total)

    finished = False
    try:
        yield report
        finished = True
    finally:
        view.close(time.monotonic() - began, finished)


@contextmanager
def work_progress(
    title: str, total: int, stream: IO[str] | None = None, show: bool = True
) -> Iterator[Callable[[int], None]]:
    """A function that takes how much of `total` is done; shows a bar with the time left.

    Without a terminal: a line every ten seconds.  Nothing for work that is over at once.
    """
    out = sys.stderr if stream is None else stream
    began = last = time.monotonic()
    view: Any = None
    task: Any = None

    def report(done: int) -> None:
        nonlocal view, task, last
        now = time.monotonic()
        if not show or now - began < QUIET_SECONDS:
            return
        if not live_wanted(out):
            if now - last >= 10:
                left = (now - began) * (total - done) / max(1, done)
                out.write(f"toyvm: {title}: {100 * done // total} %, about {left:.0f} s left\n")
                out.flush()
                last = now
            return
        if view is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            view = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                console=rich_console(out),
                transient=True,
            )
            view.start()
            task = view.add_task(title, total=total)
        view.update(task, completed=done)

    try:
        yield report
    finally:
        if view is not None:
            view.stop()
