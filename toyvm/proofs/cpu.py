"""How fast everybody runs the six programs: guest instructions a second, in turns.

Peers take turns within a round, so what disturbs one round disturbs all of them; the start of a
process is measured with a run without work and taken off.  Ratios are the medians of the rounds'
own ratios.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from toyvm.proofs.peers import PROGRAMS, Peer, peers, pin, repetitions, steps_of

STEPS: Final = 200_000_000
"""Guest instructions of one measured run, about."""
ROUNDS: Final = 5
_TELLING: Final = 1e-3
"""Seconds of work that can be told from the start of a process at the least."""

Progress = Callable[[int], None]


class TooShort(ValueError):
    """A run took no longer than its own start may vary: it says nothing about speed."""


@dataclass
class Cell:
    """One peer on one program: MIPS in each round."""

    mips: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.mips)

    def facts(self) -> dict[str, float]:
        """Median and range, rounded."""
        return {
            "median": round(self.median, 1),
            "min": round(min(self.mips), 1),
            "max": round(max(self.mips), 1),
        }


@dataclass
class CpuTable:
    """All cells, and the ratios between peers."""

    peers: list[Peer]
    programs: list[str]
    instructions: dict[str, int]
    cells: dict[tuple[str, str], Cell]

    def geomean(self, peer: str) -> float:
        """Geometric mean of a peer's medians over the programs, in MIPS."""
        return geometric([self.cells[peer, name].median for name in self.programs])

    def ratio(self, peer: str, other: str, program: str) -> float:
        """Median over the rounds of how many times faster `peer` was than `other`."""
        pairs = zip(self.cells[peer, program].mips, self.cells[other, program].mips, strict=True)
        return statistics.median(a / b for a, b in pairs)

    def mean_ratio(self, peer: str, other: str) -> float:
        """Geometric mean of `ratio` over the programs."""
        return geometric([self.ratio(peer, other, name) for name in self.programs])

    def has(self, *names: str) -> bool:
        """True if all these peers were measured."""
        return set(names) <= {peer.name for peer in self.peers}

    def facts(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return {
            "instructions": self.instructions,
            "mips": {
                peer.name: {name: self.cells[peer.name, name].facts() for name in self.programs}
                | {"geometric mean": round(self.geomean(peer.name), 1)}
                for peer in self.peers
            },
            "what": {peer.name: peer.what for peer in self.peers},
        }


def geometric(values: Sequence[float]) -> float:
    """The geometric mean of positive numbers."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def measure(
    chosen: Sequence[Peer] | None = None,
    programs: Sequence[str] = PROGRAMS,
    steps: int = STEPS,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> CpuTable:
    """Run everything; `progress(done)` hears how many runs are done.

    The fast peers get more to do, so that their times can be told from noise: what is native or
    translated does eight times the work.  Those that run in this process do it once before they
    are measured, so that what is hot is translated; how long that takes is `cold`'s to say.
    Raises TooShort where `steps` are too few to be told from the start of a peer's process.
    """
    everybody = list(peers() if chosen is None else chosen)
    pin()
    table = CpuTable(everybody, list(programs), {}, {})
    done = 0
    for name in programs:
        times = repetitions(name, steps)
        table.instructions[name] = steps_of(name)[1] * times
        starts = {
            peer.name: [peer.run(name, 0) for _ in range(3)] if peer.starts else [0.0]
            for peer in everybody
        }
        for peer in everybody:
            if not peer.starts and not peer.slow:
                peer.run(name, times * 8)
        for _ in range(rounds):
            for peer in everybody:
                factor = 1 if peer.slow else 8
                seconds = _work(peer, name, peer.run(name, times * factor), starts[peer.name])
                mips = table.instructions[name] * factor / max(seconds, 1e-4) / 1e6
                table.cells.setdefault((peer.name, name), Cell()).mips.append(mips)
                done += 1
                if progress:
                    progress(done)
    return table


def _work(peer: Peer, name: str, seconds: float, starts: Sequence[float]) -> float:
    """What a run took without the start of its process; TooShort if that cannot be told."""
    work = seconds - statistics.median(starts)
    if peer.starts and work <= max(max(starts) - min(starts), _TELLING):
        raise TooShort(
            f"{name} on {peer.name} took {seconds * 1e3:,.1f} ms, and to start alone takes "
            f"{min(starts) * 1e3:,.1f} to {max(starts) * 1e3:,.1f} ms"
        )
    return work
