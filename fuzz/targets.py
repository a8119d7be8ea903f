"""What `python -m fuzz --target NAME` tries: each target plays rounds and counts its operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.support.image_fuzz import ImageFuzz
from tests.support.mmio_fuzz import MmioFuzz
from tests.support.ring_fuzz import DEVICES, RingFuzz

Round = Callable[[int], int]
"""Play the round with this seed; the number of operations.  An exception is a finding."""

ROUND: Final = 5_000
"""Operations of a driver against one device before everything starts again."""


def virtqueue(kind: str) -> Round:
    """Random drivers against one kind of device, on both layouts in turn."""

    def play(seed: int) -> int:
        fuzz = RingFuzz(kind, seed % 2 == 0, seed)
        fuzz.run(ROUND)
        return fuzz.counts["operations"]

    return play


def mmio() -> Round:
    """Accesses of a guest to any address, bare and in a VM, on both layouts in turn."""
    machines = MmioFuzz("legacy"), MmioFuzz("modern")
    return lambda seed: machines[seed % 2].round(seed)


TARGETS: dict[str, Callable[[], Round]] = {
    "mmio": mmio,
    **{name: lambda name=name: ImageFuzz(name).round for name in ("elf", "flat", "tree")},  # type: ignore[misc]
    **{f"virtqueue-{kind}": lambda kind=kind: virtqueue(kind) for kind in DEVICES},  # type: ignore[misc]
}
