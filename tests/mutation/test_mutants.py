"""The mutation tool: mutants are made, watched and judged; a slice of the whole score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.equivalents import EQUIVALENT
from tests.mutation.mutants import SETS, mutants

PROJECT = Path(__file__).resolve().parents[2]


def without_compiler(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("name", SETS)
def test_there_are_many_and_they_are_all_different(name: str) -> None:
    found = mutants(name)
    assert len(found) > 500
    assert len({m.name for m in found}) == len(found)
    assert {m.module for m in found} == set(SETS[name])
    assert all(m.line for m in found)


def test_what_is_called_equivalent_exists_and_has_a_reason() -> None:
    names = {m.name for name in SETS for m in mutants(name)}
    assert set(EQUIVALENT) - names == set(), "no such mutants (any more)"
    assert all(len(reason) > 20 for reason in EQUIVALENT.values())


@pytest.mark.parametrize("name", ["shared", "hypervisor"])
def test_a_slice_of_the_score(name: str, tmp_path: Path) -> None:
    """A few mutants by a few checks: most of those that are noticed are killed."""
    results = tmp_path / "results.jsonl"
    command = ["-m", "tests.mutation", name, "--results", str(results), "--json"]
    done = without_compiler(*command, "--checks", "16", "--sample", "10", "--patience", "1")
    facts = json.loads(done.stdout)
    assert facts["judged"] + facts["equivalent"] == 10, done.stderr
    assert facts["killed"] >= 3
    rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    assert len(rows) == 11
    if name == "hypervisor":
        return
    # Nothing is judged twice.
    again = without_compiler(*command, "--sample", "10", "--resume")
    assert json.loads(again.stdout)["killed"] == facts["killed"]
    assert len(results.read_text("utf-8").splitlines()) == 11


#: Watching changes nothing, and what kills a mutant has noticed it.
WATCHED = """
from tests.mutation import killers
from tests.mutation.mutants import mutants
from tests.mutation.reach import Watch
all_mutants = mutants("shared")
watch = Watch(all_mutants)
killers.step_by_step(1)
killers.step_by_step(2)
seen = set(watch.seen)
watch.remove()
killers.step_by_step(1)
assert watch.seen == seen and 300 < len(seen) < len(all_mutants)
(mutant,) = [
    m for m in all_mutants
    if m.function == "take_trap" and m.what == "without `p[s.MSTATUS] = status`"
]
assert all_mutants.index(mutant) in seen
mutant.install()
try:
    killers.step_by_step(1)
    killers.step_by_step(2)
except AssertionError:
    print("killed")
"""


def test_a_mutant_that_is_noticed_is_killed() -> None:
    done = without_compiler("-c", WATCHED)
    assert (done.returncode, done.stdout) == (0, "killed\n"), done.stderr
