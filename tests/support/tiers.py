"""The same guest in both tiers: tier 1 is the judge."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.hypervisor.twin import check_quick, check_whole
from toyvm.hart.translate.pool import Pool
from toyvm.hart.translate.translator import Translator
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine, Stop
from toyvm.storage import MemoryDisk


def translate_eagerly(computer: Computer, pool: Pool | None = None) -> Translator:
    """Tier 2 at once: whatever has been executed is translated when compiled code returns."""
    hart = computer.hart
    hart.set_tier(1)
    hart.translator = Translator(
        hart.core.dec, hart.core.ram, pool=Pool() if pool is None else pool, eager=True
    )
    return hart.translator


def sizes(seed: int, total: int) -> list[int]:
    """Runs of very different length, most of them long enough for translated code."""
    rng = random.Random(f"tiers {seed}")
    out: list[int] = []
    left = total
    while left > 0:
        out.append(min(left, rng.choice((1, 9, 40, 150, 151, 700, 1500))))
        left -= out[-1]
    return out


def empty_disks(count: int) -> list[MemoryDisk]:
    """So many disks of 64 KiB."""
    return [MemoryDisk(64 << 10) for _ in range(count)]


class Tiers:
    """One guest in tier 1 and eagerly in tier 2, bare or in a VM; TLBs are compared as well."""

    def __init__(
        self, image: Any, kind: type = Machine, pool: Pool | None = None, **options: Any
    ) -> None:
        disks = options.pop("disks", 0)
        self.one: Any = kind(tier=1, drives=empty_disks(disks), **options)
        self.two: Any = kind(tier=1, drives=empty_disks(disks), **options)
        self.translator = translate_eagerly(self.two, pool)
        for computer in (self.one, self.two):
            computer.load(image)

    def run(self, steps: int) -> Stop:
        """The same number of steps in both, then compare."""
        stops = [computer.run(steps) for computer in (self.one, self.two)]
        assert stops[0] == stops[1], f"{stops[0]}, expected {stops[1]}: {self.two.report}"
        self.check_quick()
        return stops[0]

    def check_quick(self) -> None:
        """Records, registers, translations."""
        check_quick(self.one, self.two)
        assert np.array_equal(self.one.hart.core.tlb, self.two.hart.core.tlb), "the TLBs differ"

    def finish(self, steps: Iterable[int] = ()) -> Stop:
        """Runs of these sizes, or until the guest ends; then everything is compared."""
        stop = Stop("budget")
        for size in steps:
            stop = self.run(size)
            if stop.reason not in ("budget", "watchpoint", "breakpoint"):
                break
        check_whole(self.one, self.two)
        assert not self.translator.pool.failures
        assert not self.one.errors + self.two.errors
        return stop

    @property
    def translated(self) -> int:
        """Steps done by translated code that is still installed."""
        return self.translator.steps()


def both(image: Any, steps: Iterable[int], **options: Any) -> list[Tiers]:
    """The guest bare and in a VM, each in both tiers."""
    found = []
    for kind in (Machine, Vm):
        pair = Tiers(image, kind, **options)
        pair.finish(steps)
        found.append(pair)
    return found
