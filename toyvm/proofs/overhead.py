"""Virtualised against bare: the same image in turns, for four kinds of load, in tier 1.

`cpu` only computes.  `syscalls`, `faults` and `switches` are kernels that do one thing very often
(guestos/load), so that a run says what that one thing costs on either side.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.proofs.timing import timed

RAM: Final = 16 << 20

#: Load: the symbol that says how often, and how often for a measurement.
LOADS: Final = {
    "cpu": ("CPU_ROUNDS", 57),
    "syscalls": ("LOAD_TIMES", 200_000),
    "faults": ("LOAD_TIMES", 20_480),
    "switches": ("LOAD_TIMES", 100_000),
}
#: Operations of a run: what one unit of the symbol stands for.
OPERATIONS: Final = {"cpu": 57, "syscalls": 200_000, "faults": 20_480, "switches": 200_000}
WHAT: Final = {
    "cpu": "round of a sieve",
    "syscalls": "system call",
    "faults": "page fault",
    "switches": "switch of address spaces",
}


TECHNIQUES: Final = ("u", "s", "pv")
"""The rungs of the ladder."""


@dataclass
class Load:
    """One load, bare and on each rung; times in processor seconds, one a round."""

    name: str
    steps: int = 0
    bare: list[float] = field(default_factory=list)
    virtual: dict[str, list[float]] = field(default_factory=dict)
    exits: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def path(self) -> float:
        """Steps of one operation on the bare machine."""
        return self.steps / OPERATIONS[self.name]

    def ratio(self, technique: str) -> dict[str, float]:
        """Virtualised / bare: median and range of the rounds' own ratios."""
        ratios = [v / b for v, b in zip(self.virtual[technique], self.bare, strict=True)]
        return {
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
        }

    def per_exit(self, technique: str) -> float:
        """Steps between two exits."""
        return self.steps / max(1, sum(self.exits[technique].values()))

    def facts(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return {
            "what": WHAT[self.name],
            "steps": self.steps,
            "steps_per_operation": round(self.path, 1),
            "bare_seconds": round(statistics.median(self.bare), 4),
            "rungs": {
                technique: {
                    "ratio": self.ratio(technique),
                    "exits": self.exits[technique],
                    "exits_per_operation": round(
                        sum(self.exits[technique].values()) / OPERATIONS[self.name], 2
                    ),
                    "instructions_per_exit": round(self.per_exit(technique), 1),
                }
                for technique in self.virtual
            },
        }


def measure(
    names: Sequence[str] = tuple(LOADS),
    rungs: Sequence[str] = TECHNIQUES,
    rounds: int = 5,
    progress: Callable[[int], None] | None = None,
) -> list[Load]:
    """Run the loads, bare and on each rung, in turns; `progress(done)` hears of each run."""
    import guestos

    done = 0
    loads = []
    for name in names:
        symbol, times = LOADS[name]
        image = guestos.build(name, {symbol: times})
        load = Load(name, virtual={technique: [] for technique in rungs})
        loads.append(load)
        for _ in range(rounds):
            for technique in ("bare", *rungs):
                computer: Any = (
                    Machine(ram=RAM, tier=1)
                    if technique == "bare"
                    else Vm(ram=RAM, tier=1, technique=technique)
                )
                seconds, steps = timed(computer, image)
                if technique == "bare":
                    load.bare.append(seconds)
                    load.steps = steps
                else:
                    load.virtual[technique].append(seconds)
                    load.exits[technique] = {
                        cause: int(count) for cause, count in computer.ledger.items() if count
                    }
                done += 1
                if progress:
                    progress(done)
    return loads


def runs(names: Sequence[str] = tuple(LOADS), rounds: int = 5) -> int:
    """How many runs `measure` makes."""
    return len(names) * rounds * (1 + len(TECHNIQUES))
