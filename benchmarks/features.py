"""What each feature of the machine costs in the loop: the same program with it and without."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.platform import RAM_BASE
from toyvm.proofs.peers import BARE, PAGED, RAM, elf, repetitions
from toyvm.proofs.timing import timed

PROGRAM: Final = "core"
_FAR: Final = RAM_BASE + RAM - 0x8000
"""An address that the program never comes to."""


def _plain(machine: Any) -> None:
    """Nothing more."""


def _watch(machine: Any) -> None:
    machine.set_watchpoints([(_FAR, 4, 3)])


def _breakpoints(machine: Any) -> None:
    for at in range(8):
        machine.add_breakpoint(_FAR + 4 * at)


def _trace(vm: Any) -> None:
    vm.trace_exits(lambda _sentence: None)


#: Name: (kind, mode, configuration, what is done to it).
FEATURES: Final[dict[str, tuple[Any, int, dict[str, Any], Callable[[Any], None]]]] = {
    "plain: M-mode, PMP of 16 entries": (Machine, BARE, {}, _plain),
    "without PMP": (Machine, BARE, {"pmp": 0}, _plain),
    "Sv32 with 4 KiB pages": (Machine, PAGED, {}, _plain),
    "a watchpoint on another page": (Machine, BARE, {}, _watch),
    "eight breakpoints elsewhere (stop words)": (Machine, BARE, {}, _breakpoints),
    "in a VM, Sv32 behind shadow tables": (Vm, PAGED, {}, _plain),
    "in a VM, each exit told to a tracer": (Vm, PAGED, {}, _trace),
}


def measure(rounds: int, steps: int = 60_000_000) -> list[tuple[str, float, float]]:
    """(feature, MIPS, time relative to the first) in tier 1; medians of rounds in turns."""
    times = repetitions(PROGRAM, steps)
    seconds: dict[str, list[float]] = {name: [] for name in FEATURES}
    count = 0
    for _ in range(rounds):
        for name, (kind, mode, configuration, prepare) in FEATURES.items():
            computer = kind(ram=RAM, bios="none", tier=1, **configuration)
            took, count = timed(computer, elf(PROGRAM, times, mode), prepare)
            seconds[name].append(took)
    first = next(iter(seconds.values()))
    return [
        (
            name,
            count / statistics.median(values) / 1e6,
            statistics.median(a / b for a, b in zip(values, first, strict=True)),
        )
        for name, values in seconds.items()
    ]
