"""Compiled, uncompiled and with bounds checks: the same to the last bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.slice import lines

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compiled() -> list[str]:
    return list(lines())


def slice_under(name: str, mode: str) -> list[str]:
    """What the slice prints in a process of its own with this variable set to 1."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    path = os.pathsep.join(filter(None, [str(PROJECT), *sys.path]))
    environment |= {name: "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "tests.house.slice"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == mode
    return rest


def test_the_slice_covers_all_probes(compiled: list[str]) -> None:
    assert len(compiled) > 30
    assert len({line.split()[-2] for line in compiled}) == len(compiled)


def test_uncompiled(compiled: list[str]) -> None:
    assert slice_under("NUMBA_DISABLE_JIT", "compiled False bounds False") == compiled


def test_with_bounds_checks(compiled: list[str]) -> None:
    assert slice_under("NUMBA_BOUNDSCHECK", "compiled True bounds True") == compiled
