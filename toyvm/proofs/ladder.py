"""The ladder of techniques: one guest image, how many exits each rung needs and what they cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.proofs.timing import timed
from toyvm.storage import MemoryDisk

#: (name, technique, shadow, what), from the most exits to the fewest.
RUNGS: Final = (
    ("u", "u", "lazy", "everything in U-mode"),
    ("u, protected tables", "u", "protect", "page tables write-protected"),
    ("u + hypercalls", "upv", "lazy", "U-mode, paravirtual"),
    ("s", "s", "lazy", "the kernel in S-mode, with TVM, TW, TSR"),
    ("s, protected tables", "s", "protect", "page tables write-protected"),
    ("s + hypercalls (pv)", "pv", "lazy", "S-mode, paravirtual"),
)
IMAGE: Final = "teachos"
_DISK: Final = 64 << 10
_FOREVER: Final = 1 << 40


@dataclass
class Rung:
    """What a run on one rung did; seconds of processor time, one a round."""

    name: str
    what: str
    exits: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    instructions: int = 0
    seconds: list[float] = field(default_factory=list)
    exit_ns: float = 0.0

    @property
    def total(self) -> int:
        """Exits in all."""
        return sum(self.exits.values())

    @property
    def per_exit(self) -> int:
        """Guest instructions between two exits."""
        return self.instructions // max(1, self.total)


def measure(
    rounds: int = 3, progress: Callable[[int], None] | None = None
) -> tuple[list[float], list[Rung]]:
    """Seconds of the bare machine, and each rung, in turns; `progress(runs done)` hears of each."""
    import guestos

    image = guestos.build(IMAGE)
    ram = guestos.manifest()[IMAGE].ram
    bare: list[float] = []
    rungs = [Rung(name, what) for name, _, _, what in RUNGS]
    done = 0
    for _ in range(rounds):
        bare.append(timed(Machine(ram=ram, tier=1, drives=[MemoryDisk(_DISK)]), image)[0])
        for rung, (_, technique, shadow, _) in zip(rungs, RUNGS, strict=True):
            vm = Vm(
                ram=ram,
                tier=1,
                drives=[MemoryDisk(_DISK)],
                technique=technique,
                shadow_mode=shadow,
            )
            rung.seconds.append(timed(vm, image)[0])
            rung.exits = vm.ledger.nonzero()
            rung.outcomes = vm.ledger.by_outcome()
            rung.instructions = vm.instret
            rung.exit_ns = vm.ledger.sampled_ns()
            done += 1
            if progress:
                progress(done)
    return bare, rungs


def runs(rounds: int) -> int:
    """How many runs of VMs `measure` makes."""
    return rounds * len(RUNGS)


def facts(bare: Sequence[float], rungs: Sequence[Rung]) -> dict[str, Any]:
    """Everything, JSON-ready."""
    return {
        "image": IMAGE,
        "bare_seconds": round(statistics.median(bare), 5),
        "rungs": {
            rung.name: {
                "what": rung.what,
                "exits": rung.exits,
                "exits_total": rung.total,
                "outcomes": rung.outcomes,
                "instructions": rung.instructions,
                "instructions_per_exit": rung.per_exit,
                "seconds": round(statistics.median(rung.seconds), 5),
                "ratio": round(
                    statistics.median(v / b for v, b in zip(rung.seconds, bare, strict=True)), 3
                ),
                "ns_in_the_hypervisor_per_compiled_exit": round(rung.exit_ns, 1),
            }
            for rung in rungs
        },
    }
