"""Whole files of tests run once for each technique and each way to keep the shadow true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hypervisor import twin
from toyvm.jit import COMPILED

#: They call one kernel at a time, which only plain Python can: tests/house/test_modes.py runs them.
collect_ignore_glob = ["test_kernels_*.py"] if COMPILED else []


@pytest.fixture(params=twin.VARIANTS, ids="-".join)
def variant(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Let every twin made in this test use one variant."""
    before = list(twin.VARIANT)
    twin.VARIANT[:] = request.param
    yield request.param
    twin.VARIANT[:] = before
