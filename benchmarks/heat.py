"""When does translating pay?  `python -m benchmarks.heat` measures what decides the threshold.

First what a region costs and gains: processor time of its translation against the time that a step
takes in each tier; the break-even is the number of steps that earn the cost.  Then whole runs from
cold for several thresholds (`translator.HOT`), as processor time relative to tier 1: all threads
count, as on a computer with one processor.
"""

from __future__ import annotations

import statistics
import time
from typing import Final

from toyvm.hart.translate import pool as pools
from toyvm.hart.translate import translator
from toyvm.hart.translate.pool import Pool
from toyvm.hart.translate.translator import Translator
from toyvm.hypervisor import Vm
from toyvm.proofs.cpu import geometric
from toyvm.proofs.peers import PAGED, PROGRAMS, RAM, elf, pin, repetitions, steps_of
from toyvm.proofs.timing import timed

LENGTHS: Final = (10_000_000, 40_000_000, 160_000_000, 640_000_000)
THRESHOLDS: Final = (4_000_000, 16_000_000, 64_000_000)
_ROUNDS: Final = 3


def run(name: str, steps: int, pool: Pool | None) -> tuple[float, int]:
    """A run in a VM with Sv32, translating into `pool` (None: tier 1); seconds and steps."""
    vm = Vm(ram=RAM, bios="none", tier=1)
    hart = vm.hart
    if pool is not None:
        hart.translator = Translator(hart.core.dec, hart.core.ram, pool=pool)
    seconds, made = timed(vm, elf(name, repetitions(name, steps), PAGED))
    if pool is not None:
        # What is still being translated counts as well.
        began = time.process_time()
        pool.stop()
        seconds += time.process_time() - began
    return seconds, made


class Costs:
    """Processor seconds of each translation, from a clock around the code generator."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._code, self._emit = pools.Code, pools.emit

    def __enter__(self) -> Costs:
        def emit(*args: object) -> str:
            began = time.thread_time()
            text = self._emit(*args)  # type: ignore[arg-type]
            self.seconds.append(time.thread_time() - began)
            return text

        def code(*args: object) -> object:
            began = time.thread_time()
            made = self._code(*args)  # type: ignore[arg-type]
            self.seconds[-1] += time.thread_time() - began
            return made

        pools.emit, pools.Code = emit, code  # type: ignore[assignment,misc]
        return self

    def __exit__(self, *_: object) -> None:
        pools.emit, pools.Code = self._emit, self._code  # type: ignore[misc]


def break_even() -> None:
    """A line for each program: regions, their cost, ns a step in both tiers, break-even."""
    print(
        f"{'program':10} {'regions':>7} {'ms each':>8} {'tier 1':>7} {'tier 2':>7} {'even at':>9}"
    )
    for name in PROGRAMS:
        pool = Pool()
        with Costs() as costs:
            run(name, 400_000_000, pool)
        steps = 4 * steps_of(name)[1] * repetitions(name, 40_000_000)
        slow = min(run(name, steps, None)[0] for _ in range(_ROUNDS)) / steps * 1e9
        fast = min(run(name, steps, pool)[0] for _ in range(_ROUNDS)) / steps * 1e9
        each = statistics.mean(costs.seconds)
        even = each / max(slow - fast, 1e-9) * 1e3
        print(
            f"{name:10} {len(costs.seconds):7} {1e3 * each:8.0f} {slow:4.2f} ns {fast:4.2f} ns "
            f"{even:7.1f} M"
        )


def thresholds() -> None:
    """A line for each length of run: time relative to tier 1 by threshold, geometric means."""
    print(f"{'steps':>12}", *(f"{hot // 1_000_000:>6} M" for hot in THRESHOLDS))
    for steps in LENGTHS:
        ratios: dict[int, list[float]] = {hot: [] for hot in THRESHOLDS}
        for name in PROGRAMS:
            rounds = _ROUNDS if steps < 200_000_000 else 1
            best = dict.fromkeys((0, *THRESHOLDS), float("inf"))
            for _ in range(rounds):
                for hot in best:
                    translator.HOT = hot  # type: ignore[misc]
                    pool = Pool() if hot else None
                    best[hot] = min(best[hot], run(name, steps, pool)[0])
            for hot in THRESHOLDS:
                ratios[hot].append(best[hot] / best[0])
        print(f"{steps:12,}", *(f"{geometric(ratios[hot]):8.2f}" for hot in THRESHOLDS))


def main() -> None:
    """Both tables."""
    pin()
    break_even()
    print()
    thresholds()


if __name__ == "__main__":
    main()
