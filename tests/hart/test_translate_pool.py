"""The pool of translations: what fails, what is known, what ends with the process."""

from __future__ import annotations

import numpy as np
import pytest

from toyvm.hart.translate import pool as pools
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.pool import Job, Pool
from toyvm.hart.translate.region import Snapshot, far_target, form, translatable

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

#: 1: addi a0, a0, 1; bne a0, a1, 1b; ecall
CODE = (0x0015_0513, 0xFEB5_1EE3, 0x0000_0073)


def snapshot(*code: int) -> Snapshot:
    words = np.zeros(1024, dtype=np.uint32)
    words[: len(code)] = code
    return Snapshot({0: words}, {0: words != 0}, {0: np.zeros(1024, dtype=np.int64)}, {})


def test_a_region_ends_where_tier_1_must_go_on() -> None:
    region = form(snapshot(*CODE), 0)
    assert region is not None
    assert (tuple(region.words), region.heads) == ((0, 4), (0,))
    assert form(snapshot(*CODE), 8) is None
    assert [translatable(word) for word in CODE] == [True, True, False]


def test_pairs_of_auipc_and_jalr_have_a_target() -> None:
    """auipc ra, 0x1; jalr ra, -8(ra) at rel 4: 0 + 0x1000 - 8."""
    assert far_target(0x0000_1097, 0xFF80_80E7, 4) == 0xFF8
    assert far_target(0x0000_1117, 0xFF80_80E7, 4) is None


def test_the_background_makes_a_region_once() -> None:
    pool = Pool()
    jobs = [Job(snapshot(*CODE), 0), Job(snapshot(*CODE), 4)]
    for job in jobs:
        pool.request(job)
    pool.stop()
    pool.request(Job(snapshot(*CODE), 0))
    pool.stop()
    for job in jobs:
        pool.fulfil(job)
    assert [job.result is not None for job in jobs] == [True, True]
    assert pool.made == 1
    assert pool.knows(1, CODE[1])
    assert not pool.knows(1, CODE[0])


def test_a_compiler_that_fails_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def broken(*_arguments: object) -> None:
        calls.append(1)
        raise RuntimeError("no such target")

    monkeypatch.setattr(pools, "Code", broken)
    pool = Pool()
    for _ in range(9):
        job = Job(snapshot(*CODE), 0)
        pool.fulfil(job)
        assert job.done
        assert job.result is None
    assert len(calls) == 3
    assert pool.failures[0] == "RuntimeError: no such target"
