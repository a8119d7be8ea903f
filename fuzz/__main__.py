"""Random programs on the bare machine, in a VM and on the independent model, until time is up.

    python -m fuzz --minutes 5 [--seed 1]
    python -m fuzz --target NAME [--target NAME] [--operations N] [--minutes 5] [--seed 1]

Each program is run in steps of random size; registers, CSRs, clock and reservation are compared
after each, RAM at the end.  A difference ends the run with code 1 and names the seed and the kind:
the same seed and kind give the same program in a test.

With --target it is something else that is tried: broken images (elf, flat, tree), accesses to any
address (mmio), or drivers of a virtio device (virtqueue-blk and so on); see fuzz/targets.py.  Each
target runs for its share of the minutes, or until it has done so many operations.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from typing import Any

from fuzz.targets import TARGETS
from tests.hypervisor.test_random_kernels import run
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.programs import chaos_program, user_program
from toyvm.hypervisor.warm import warm

#: kind: (generator, options of the run, steps)
KINDS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "machine kernel": (machine_kernel, {}, 4000),
    "machine kernel without PMP": (machine_kernel, {"pmp": 0}, 4000),
    "supervisor kernel": (supervisor_kernel, {"bios": "sbi"}, 4000),
    "user program": (user_program, {}, 2000),
    "chaos": (chaos_program, {}, 2000),
}


def play(name: str, seed: int, seconds: float, operations: int) -> bool:
    """Rounds of one target; False if one of them found something."""
    play_round = TARGETS[name]()
    began = shown = time.monotonic()
    first, done = seed, 0
    while time.monotonic() - began < seconds and not (operations and done >= operations):
        try:
            done += play_round(seed)
        except Exception:
            traceback.print_exc()
            print(f"fuzz: {name}: found something with seed {seed}", file=sys.stderr)
            return False
        seed += 1
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            print(f"fuzz: {name}: {done:,} operations", file=sys.stderr)
    took = time.monotonic() - began
    print(
        f"{name}: {done:,} operations in {took:.0f} s, seeds {first} to {seed - 1}: nothing found"
    )
    return True


def main() -> int:
    """Run until the minutes are over; 0 without a difference, 1 with one."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1_000_000)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--operations", type=int, default=0)
    arguments = parser.parse_args()
    warm(lambda *_: None)
    if arguments.target:
        seconds = 60 * arguments.minutes / len(arguments.target)
        for name in arguments.target:
            if not play(name, arguments.seed, seconds, arguments.operations):
                return 1
        return 0
    end = time.monotonic() + 60 * arguments.minutes
    shown = time.monotonic()
    counts: Counter[str] = Counter()
    seed = arguments.seed
    while time.monotonic() < end:
        for kind, (generate, options, steps) in KINDS.items():
            try:
                run(generate(seed), seed, steps, **options)
            except Exception:
                traceback.print_exc()
                print(f"fuzz: difference: {kind}, seed {seed}", file=sys.stderr)
                return 1
            counts[kind] += 1
        seed += 1
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            left = max(0, round(end - shown))
            print(f"fuzz: {counts.total():,} programs equal, {left} s left", file=sys.stderr)
    for kind, count in counts.items():
        print(f"{count:8,} x {kind}")
    seeds = f"; seeds {arguments.seed} to {seed - 1}" if counts else ""
    print(f"{counts.total():,} programs, no difference{seeds}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("fuzz: stopped; no difference until then", file=sys.stderr)
        sys.exit(130)
