"""The one way in which a run of ours is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from toyvm.machine.computer import Computer

_FOREVER: Final = 1 << 40


def timed(
    computer: Computer, image: Any, prepare: Callable[[Any], None] | None = None
) -> tuple[float, int]:
    """Run an image to its end; (processor seconds, steps that were made in them).

    Loading is not counted, nor what `prepare` does to the loaded computer, which it may run for a
    while; the threads of this process are.  RuntimeError if the guest does not end with 0.
    """
    computer.load(image)
    if prepare is not None:
        prepare(computer)
    before = computer.steps
    began = time.process_time()
    stop = computer.run(_FOREVER)
    seconds = time.process_time() - began
    if stop.reason != "exit" or stop.code != 0:
        raise RuntimeError(f"the measured guest ended with {stop}")
    return seconds, computer.steps - before
