"""Mutation score of the shared privileged kernels and of the hypervisor.

    python -m tests.mutation shared [--sample 40] [--seed 1] [--jobs 2] [--results FILE] [--resume]

First every check of `killers` runs once on the kernels as they are, and it is noted which mutants
it would notice (`reach`; kept in the cache folder).  Then each mutant gets a process of its own, in
which those checks run, quick ones first, until one fails or hangs (killed) or `--patience` seconds
of processor time are over.  What is left has survived, and is named.  Ends with 1 if fewer than
90 % were killed.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

if os.environ.get("NUMBA_DISABLE_JIT") != "1":
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "tests.mutation", *sys.argv[1:]])

from tests.mutation import killers as judges
from tests.mutation.equivalents import EQUIVALENT
from tests.mutation.killers import Killer
from tests.mutation.mutants import SETS, Mutant, mutants, text_hash
from tests.mutation.pool import forked
from tests.mutation.reach import Watch
from toyvm.jit import cache_root

WANTED = 0.9
#: Seconds of processor time, watched, above which a check is not used.
SLOW = 15.0


class Hangs(BaseException):
    """A mutant that does not come back; passes the boundary around devices, too."""


def _alarm(*_: object) -> None:
    raise Hangs


def within(seconds: float, check: Callable[[], Any]) -> None:
    """Run a check; Hangs after so many seconds of processor time, however busy the computer is."""
    signal.signal(signal.SIGVTALRM, _alarm)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        check()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


# ---- what each check notices --------------------------------------------------------------------


def _watched(killer: Killer, watch: Watch) -> str:
    began = time.process_time()
    try:
        within(SLOW, killer.check)
    except Hangs:
        # Too slow without the compiler: it would be the last one to be asked anyway.
        watch.seen.clear()
    except BaseException:
        return json.dumps({"killer": killer.name, "failed": traceback.format_exc()})
    bits = sum(1 << number for number in watch.seen)
    spent = round(time.process_time() - began, 3)
    facts = {"killer": killer.name, "stamp": killer.stamp, "seconds": spent, "seen": f"{bits:x}"}
    return json.dumps(facts)


def notice(name: str, found: Sequence[Mutant], checks: list[Killer], jobs: int) -> dict[str, Any]:
    """For each check by name: its processor time while watched, and the mutants that it notices."""
    path = cache_root() / "mutation" / f"{name}-{text_hash(name)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    for row in lines(path):
        known[row["killer"], row["stamp"]] = row
    missing = [k for k in checks if (k.name, k.stamp) not in known]
    if missing:
        watch = Watch(found)
        tasks = ((k, partial(_watched, k, watch)) for k in missing)
        with path.open("a") as out:
            for i, (killer, text) in enumerate(forked(tasks, jobs), 1):
                facts = json.loads(text) if text else {"failed": "its process crashed"}
                if "failed" in facts:
                    # It would kill every mutant.
                    print(f"not used, fails without a mutant: {killer.name}", file=sys.stderr)
                    print(facts["failed"], file=sys.stderr)
                    continue
                out.write(f"{text}\n")
                out.flush()
                known[killer.name, killer.stamp] = facts
                say(f"watched {i} of {len(missing)} checks: {killer.name}")
        watch.remove()
    return {k.name: known[k.name, k.stamp] for k in checks if (k.name, k.stamp) in known}


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSON lines file; the last one of a stopped run may be broken."""
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def say(text: str) -> None:
    """Progress, on one line of a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:100.100}" if end == "\r" else text, end=end, file=sys.stderr, flush=True)


# ---- judging -------------------------------------------------------------------------------------


def judge(mutant: Mutant, order: list[tuple[Killer, float]], patience: float) -> str:
    """What killed the mutant, or nothing; and how many checks had a look."""
    mutant.install()
    began = time.process_time()
    by, tried = "", 0
    for killer, seconds in order:
        if time.process_time() - began > patience:
            break
        tried += 1
        try:
            within(1 + 4 * seconds, killer.check)
        except Hangs:
            by = f"{killer.name} (hangs)"
        except BaseException:
            by = killer.name
        if by:
            break
    spent = round(time.process_time() - began, 2)
    return json.dumps({"by": by, "tried": tried, "of": len(order), "seconds": spent})


def interval(killed: int, judged: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's), for a sample."""
    z, n = 1.96, max(judged, 1)
    share = killed / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


class Run:
    """A set's mutants, what is known of them, and who judges the others."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.name = arguments.set
        self.mutants = mutants(self.name)
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.kills: Counter[tuple[str, str]] = Counter()

    def chosen(self) -> list[Mutant]:
        """The sample, in an order of its own so that a part of it is a sample as well."""
        chosen = list(self.mutants)
        random.Random(self.arguments.seed).shuffle(chosen)
        return chosen[: self.arguments.sample or None]

    def order(self, number: int, checks: list[Killer], seen: dict[str, Any]) -> list[Any]:
        """The checks that notice a mutant: quick ones and those that killed nearby go first.

        Each kind of check gets its turn: the time of those of its kind that went before counts,
        and that of long guests more, because they say less in the same time.
        """
        function = self.mutants[number].function
        able = []
        for killer in checks:
            if seen[killer.name]["seen"] >> number & 1:
                cost = seen[killer.name]["seconds"] / (1 + self.kills[function, killer.name])
                able.append((cost, killer))
        able.sort(key=lambda pair: pair[0])
        spent: dict[str, float] = defaultdict(float)
        turns = []
        for cost, killer in able:
            spent[killer.kind] += cost * (5 if killer.kind in judges.LONG else 1)
            turns.append((spent[killer.kind], killer))
        turns.sort(key=lambda pair: pair[0])
        return [(killer, seen[killer.name]["seconds"]) for _, killer in turns]

    def judge_all(self, chosen: list[Mutant], out: Any) -> None:
        checks = judges.killers(self.name)
        if self.arguments.checks:
            checks = random.Random(self.arguments.seed).sample(checks, self.arguments.checks)
        else:
            judges.prepare(self.name)
        judges.quicken()
        seen = notice(self.name, self.mutants, checks, self.arguments.jobs)
        for facts in seen.values():
            facts["seen"] = int(facts["seen"], 16)
        checks = [killer for killer in checks if killer.name in seen]
        numbers = {id(mutant): i for i, mutant in enumerate(self.mutants)}
        gc.freeze()
        ends = time.monotonic() + self.arguments.seconds

        def tasks() -> Iterator[tuple[Mutant, Callable[[], str]]]:
            for mutant in chosen:
                if time.monotonic() > ends:
                    return
                order = self.order(numbers[id(mutant)], checks, seen)
                yield mutant, partial(judge, mutant, order, self.arguments.patience)

        for i, (mutant, text) in enumerate(forked(tasks(), self.arguments.jobs), 1):
            facts = json.loads(text) if text else {"by": "a crash", "tried": 0, "of": 0}
            facts = {"mutant": mutant.name, "at": str(mutant), **facts}
            self.verdicts[mutant.name] = facts
            self.kills[mutant.function, facts["by"]] += 1
            out.write(json.dumps(facts) + "\n")
            out.flush()
            by, tried = facts["by"], facts["tried"]
            word = f"killed by {by}" if by else f"SURVIVED {tried} checks"
            alive = sum(not v["by"] for v in self.verdicts.values())
            say(f"{i} of {len(chosen)}, {alive} alive; {word}: {mutant}")


def main() -> int:
    """Judge the mutants of a set, or a sample of them."""
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__.split("\n", 1)[0])
    parser.add_argument("set", choices=sorted(SETS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after about so long")
    parser.add_argument("--jobs", type=int, default=1, help="so many mutants at a time")
    parser.add_argument(
        "--patience", type=float, default=30, help="seconds of processor time for a mutant"
    )
    parser.add_argument("--checks", type=int, default=0, help="only so many checks; 0: all")
    parser.add_argument("--results", type=Path, help="file of JSON lines for the verdicts")
    parser.add_argument("--resume", action="store_true", help="keep the verdicts in that file")
    parser.add_argument("--again", action="store_true", help="and judge its survivors again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    run = Run(arguments)
    path = arguments.results or cache_root() / "mutation" / f"{arguments.set}-results.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = {"set": arguments.set, "sources": text_hash(arguments.set)}
    resuming = arguments.resume or arguments.again
    before = list(lines(path)) if resuming else []
    if before and before[0] != stamp:
        print(f"{path} is about other sources: start again without --resume", file=sys.stderr)
        return 2
    chosen = run.chosen()
    names = {mutant.name for mutant in chosen}
    for row in before[1:]:
        if row["mutant"] in names:
            run.verdicts[row["mutant"]] = row
    left = [
        m
        for m in chosen
        if m.name not in run.verdicts or (arguments.again and not run.verdicts[m.name]["by"])
    ]
    with path.open("a" if before else "w") as out:
        if not before:
            out.write(json.dumps(stamp) + "\n")
        if left:
            run.judge_all(left, out)
    return report(run, time.monotonic() - began)


def report(run: Run, seconds: float) -> int:
    """Say what came of it; 1 if the score is too low."""
    verdicts = run.verdicts.values()
    alive = [row for row in verdicts if not row["by"]]
    same = [row for row in alive if row["mutant"] in EQUIVALENT]
    survivors = [row for row in alive if row["mutant"] not in EQUIVALENT]
    wrong = [r["mutant"] for r in verdicts if r["by"] and r["mutant"] in EQUIVALENT]
    killed = len(verdicts) - len(alive)
    judged = killed + len(survivors)
    score = killed / judged if judged else 0.0
    low, high = interval(killed, judged)
    costs = sorted(row.get("seconds", 0.0) for row in verdicts)
    facts = {
        "set": run.name,
        "mutants": len(run.mutants),
        "judged": judged,
        "killed": killed,
        "score": round(score, 4),
        "interval": [round(low, 4), round(high, 4)] if len(verdicts) < len(run.mutants) else None,
        "equivalent": len(same),
        "not_equivalent": wrong,
        "median_seconds": costs[len(costs) // 2] if costs else 0.0,
        "survivors": [
            {"mutant": row["at"], "name": row["mutant"], "tried": row["tried"], "of": row["of"]}
            for row in survivors
        ],
        "seconds": round(seconds, 1),
    }
    if run.arguments.json:
        print(json.dumps(facts))
    else:
        print(
            f"{run.name}: {killed} of {judged} mutants killed, {100 * score:.1f} % "
            f"({len(run.mutants)} in all, seed {run.arguments.seed})"
        )
        if facts["interval"]:
            print(f"a sample: 95 % interval {100 * low:.1f} to {100 * high:.1f} %")
        print(f"{len(same)} more do the same as the original (tests/mutation/equivalents.py)")
        for row in survivors:
            print(f"survived {row['tried']} of {row['of']} checks that notice it: {row['at']}")
        for mutant in wrong:
            print(f"called equivalent, but killed: {mutant}")
    return 0 if score >= WANTED and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
