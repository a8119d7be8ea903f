"""Random tests without end: ``make fuzz MINUTES=n``, or ``python -m tests.fuzz --minutes n``.

Random kernels run bare, in a VM and on the independent model, compared as they run; between them
the devices' random tests get new seeds.  A difference ends the campaign with exit code 1 and says
how to see it again: ``python -m tests.fuzz --seed N --programs 1``.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.hypervisor.twin import Twin
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.programs import Program, chaos_program, user_program

ROOT = Path(__file__).resolve().parents[1]
DEVICE_TESTS = ("tests/devices/test_ring_fuzz.py", "tests/devices/test_mmio_fuzz.py")
DEVICE_FACTOR = 4
#: Kernels between two runs of the devices' tests.
ROUND = 400
STEPS = 4_000

#: name -> (generator, firmware).
KINDS: dict[str, tuple[Callable[[int], Program], str]] = {
    "user program": (user_program, "none"),
    "machine kernel": (machine_kernel, "none"),
    "supervisor kernel": (supervisor_kernel, "sbi"),
    "chaos": (chaos_program, "none"),
}


def run_program(kind: str, seed: int) -> int:
    """One program on all three machines; steps made.  AssertionError if they differ."""
    make, bios = KINDS[kind]
    program = make(seed)
    rng = random.Random(f"fuzz {seed}")
    twin = Twin(program.image, ram_size=program.ram_size, bios=bios)
    while twin.bare.steps < STEPS:
        if twin.run(rng.choice((1, 2, 3, 7, 10, 40, 150, 700))).reason != "budget":
            break
    twin.check_whole()
    return twin.bare.steps


def run_devices(seed: int) -> bool:
    """The devices' random tests with this seed; True if they pass."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        f"--hypothesis-seed={seed}", *DEVICE_TESTS,
    ]  # fmt: skip
    env = {**os.environ, "TOYVM_FUZZ": str(DEVICE_FACTOR)}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode == 0


def campaign(first: int, minutes: float, programs: int, devices: bool) -> int:
    """Programs from seed ``first`` on until the time or their number is used up; exit code."""
    end = time.monotonic() + 60 * minutes
    done = steps = 0
    while time.monotonic() < end and (programs == 0 or done < programs):
        seed = first + done
        for kind in KINDS:
            try:
                steps += run_program(kind, seed)
            except AssertionError as error:
                print(f"{kind}, seed {seed}:\n{error}")
                print(f"again: python -m tests.fuzz --seed {seed} --programs 1")
                return 1
        done += 1
        if done % 50 == 0:
            print(f"seeds {first} to {seed}: {len(KINDS) * done} programs, {steps:,} steps, equal")
        if devices and done % ROUND == 0 and not run_devices(seed):
            print(f"the devices' tests fail with --hypothesis-seed={seed}")
            return 1
    print(
        f"{len(KINDS) * done} programs, {steps:,} steps: bare, virtualised and model are equal "
        f"(seeds {first} to {first + done - 1})"
    )
    return 0


def main() -> int:
    """Read the arguments; the exit code."""
    parser = argparse.ArgumentParser(description="Random tests without end.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: random)")
    parser.add_argument("--programs", type=int, default=0, help="seeds at most; 0: no limit")
    chosen = parser.parse_args()
    first = random.SystemRandom().randrange(1 << 40) if chosen.seed is None else chosen.seed
    return campaign(first, chosen.minutes, chosen.programs, devices=chosen.programs == 0)


if __name__ == "__main__":
    sys.exit(main())
