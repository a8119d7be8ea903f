"""The mutation tool: mutants are made, installed, and a few known ones are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import SETS, mutants

PROJECT = Path(__file__).resolve().parents[2]

#: A mistake that must be noticed, as a check in a process without the compiler.
KILLED = """
from tests.mutation import killers
from tests.mutation.mutants import mutants
(mutant,) = [m for m in mutants({set!r}) if m.function == {function!r} and m.what == {what!r}]
mutant.install()
try:
    killers.{check}
except AssertionError:
    print("killed")
"""


@pytest.mark.parametrize("name", SETS)
def test_there_are_many_and_they_are_all_different(name: str) -> None:
    found = mutants(name)
    assert len(found) > 300
    assert {m.module for m in found} == set(SETS[name])
    assert all(m.line for m in found)


@pytest.mark.parametrize(
    ("group", "function", "what", "check"),
    [
        ("shared", "take_trap", "without `p[s.MSTATUS] = status`", 'probe("probe-deleg")'),
    ],
)  # fmt: skip
def test_a_mutant_is_killed(group: str, function: str, what: str, check: str) -> None:
    code = KILLED.format(set=group, function=function, what=what, check=check)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "killed\n"), done.stderr
