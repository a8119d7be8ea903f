"""Compiled, uncompiled and with bounds checks: the same to the last bit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.slice import lines

PROJECT = Path(__file__).resolve().parents[2]

#: The slice of the suite that runs in the other two modes as well: some five minutes of one core.
BOUNDS = (
    ("hart/test_against_model.py", "hypervisor/test_random_kernels.py"),
    ("hypervisor/test_privilege.py", "hypervisor/test_shadow.py", "hypervisor/test_withdrawal.py"),
    ("hypervisor/test_equivalence.py", "hypervisor/test_memory.py"),
    ("hypervisor/test_hostile.py",),
    ("hypervisor/test_short_kernels.py",),
    ("devices",),
)
#: Their tests call one kernel at a time, which only plain Python can.
KERNELS = ("tables", "fences", "roots", "fill", "mmio", "vcpu", "run")
UNCOMPILED = (
    ("hypervisor/test_privilege.py",),
    ("hypervisor/test_shadow.py",),
    tuple(f"hypervisor/test_kernels_{name}.py" for name in KERNELS),
)


@pytest.fixture(scope="module")
def compiled() -> list[str]:
    return list(lines())


def under(name: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """`python -m COMMAND` in a process of its own, with this variable of Numba set to 1."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "PYTEST_", "TOYVM_F"))
    }
    path = os.pathsep.join(filter(None, [str(PROJECT), *sys.path]))
    environment |= {name: "1", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def slice_under(name: str, mode: str) -> list[str]:
    """What the slice prints with this variable set to 1."""
    done = under(name, ["tests.house.slice"])
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == mode
    return rest


def suite_under(name: str, files: tuple[str, ...]) -> None:
    """A part of the suite with this variable set to 1."""
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = under(name, ["pytest", *options, *(f"tests/{file}" for file in files)])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) passed", done.stdout)
    assert found
    assert int(found[1]) >= 20, done.stdout[-500:]


def test_the_slice_covers_all_probes(compiled: list[str]) -> None:
    assert len(compiled) > 30
    assert len({line.split()[-2] for line in compiled}) == len(compiled)


def test_uncompiled(compiled: list[str]) -> None:
    assert slice_under("NUMBA_DISABLE_JIT", "compiled False bounds False") == compiled


def test_with_bounds_checks(compiled: list[str]) -> None:
    assert slice_under("NUMBA_BOUNDSCHECK", "compiled True bounds True") == compiled


@pytest.mark.parametrize("files", BOUNDS, ids=lambda files: files[0])
def test_a_part_of_the_suite_with_bounds_checks(files: tuple[str, ...]) -> None:
    suite_under("NUMBA_BOUNDSCHECK", files)


@pytest.mark.parametrize("files", UNCOMPILED, ids=lambda files: files[0])
def test_a_part_of_the_suite_uncompiled(files: tuple[str, ...]) -> None:
    suite_under("NUMBA_DISABLE_JIT", files)
