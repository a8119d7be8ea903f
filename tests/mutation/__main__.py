"""Mutation score of the shared privileged kernels and of the hypervisor.

    python -m tests.mutation shared --sample 40 [--seed 1] [--seconds 170] [--json]

Each mutant lives in a process of its own: it gets its mistake, runs the checks of `killers` until
one fails (killed) or it hangs (killed).  What is left has survived, and is
named.  Ends with 1 if fewer than 90 % were killed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback

if os.environ.get("NUMBA_DISABLE_JIT") != "1":
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "tests.mutation", *sys.argv[1:]])

from tests.mutation import killers as judges
from tests.mutation.mutants import SETS, Mutant, mutants

#: Seconds after which a check counts as hanging; the longest takes a third of it.
HANGS = 40
WANTED = 0.9


class Hangs(BaseException):
    """A mutant that does not come back; passes the boundary around devices, too."""


def _alarm(*_: object) -> None:
    raise Hangs


def judge(mutant: Mutant | None, name: str) -> str:
    """What killed the mutant, or nothing.  None stands for the kernels as they are."""
    if mutant is not None:
        mutant.install()
    signal.signal(signal.SIGALRM, _alarm)
    for what, check in judges.killers(name):
        signal.alarm(HANGS)
        try:
            check()
        except BaseException:
            signal.alarm(0)
            if mutant is None:
                traceback.print_exc()
            return what
        signal.alarm(0)
    return ""


def in_child(mutant: Mutant | None, name: str) -> tuple[bool, str]:
    """(killed, by what), by a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            os.write(writing, judge(mutant, name).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        text = stream.read().decode()
    _, status = os.waitpid(child, 0)
    if status:
        return True, "a crash"
    return bool(text), text


def main() -> int:
    """Judge a sample of a set's mutants."""
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__.split("\n", 1)[0])
    parser.add_argument("set", choices=sorted(SETS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants; 0: all")
    parser.add_argument("--skip", type=int, default=0, help="leave out so many of the sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after about so long")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    everything = mutants(arguments.set)
    chosen = list(everything)
    random.Random(arguments.seed).shuffle(chosen)
    if arguments.sample:
        chosen = chosen[: arguments.sample]
    chosen = chosen[arguments.skip :]
    survivors: list[str] = []
    judged = 0
    for mutant in chosen:
        if time.monotonic() - began > arguments.seconds:
            break
        killed, by = in_child(mutant, arguments.set)
        judged += 1
        if not killed:
            survivors.append(str(mutant))
        word = f"killed by {by}" if killed else "SURVIVED"
        print(f"{judged:4} {word}: {mutant}", file=sys.stderr, flush=True)
    score = (judged - len(survivors)) / judged if judged else 0.0
    facts = {
        "set": arguments.set,
        "mutants": len(everything),
        "judged": judged,
        "killed": judged - len(survivors),
        "score": round(score, 4),
        "survivors": survivors,
        "seconds": round(time.monotonic() - began, 1),
    }
    if arguments.json:
        print(json.dumps(facts))
    else:
        print(
            f"{arguments.set}: {facts['killed']} of {judged} mutants killed, {100 * score:.1f} % "
            f"({len(everything)} in all, seed {arguments.seed})"
        )
        for survivor in survivors:
            print(f"survived: {survivor}")
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
