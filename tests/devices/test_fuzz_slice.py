"""A slice of every fuzz target: `python -m fuzz --target NAME` goes on where this ends.

With TOYVM_FULL=1 fifty times as many rounds.
"""

from __future__ import annotations

import os
import random

import pytest

from fuzz.targets import TARGETS
from tests.support.mmio_fuzz import FETCH, entries, judge
from tests.support.ring_fuzz import RingFuzz
from toyvm.devices.virtqueue import Chain

FACTOR = 50 if os.environ.get("TOYVM_FULL") else 1
ROUNDS = {"mmio": 12, "elf": 120, "flat": 60, "tree": 120}


@pytest.mark.parametrize("name", list(TARGETS))
def test_target(name: str) -> None:
    play = TARGETS[name]()
    operations = sum(play(seed) for seed in range(ROUNDS.get(name, 4) * FACTOR))
    assert operations >= 200


def test_rounds_can_be_repeated() -> None:
    first, second = (RingFuzz("net", False, 5) for _ in range(2))
    first.run(500)
    second.run(500)
    assert first.device.stats == second.device.stats
    assert entries(random.Random(3)) == entries(random.Random(3))


def test_a_device_that_writes_into_a_read_only_buffer_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = Chain.scatter

    def wrong(self: Chain, start: int, data: bytes) -> None:
        if self.readable:
            self._memory.write(self.readable[0][0], b"\1")
        good(self, start, data)

    monkeypatch.setattr(Chain, "scatter", wrong)
    polite = next(fuzz for n in range(99) if (fuzz := RingFuzz("blk", False, n)).polite)
    with pytest.raises(AssertionError, match="into a read-only buffer"):
        polite.run(2000)


def test_wrong_outcomes_are_found() -> None:
    for pa, operation, cause in (
        (0x3000_0000, 4, 0xFFFF_FFFF),
        (0x3000_0000, 4, 7),
        (0x1000_0000, FETCH, 0xFFFF_FFFF),
        (0x1000_0001, 8, 5),
        (0x8_0000_0000 >> 1, 7, 15),
    ):
        with pytest.raises(AssertionError, match="cause"):
            judge(pa, operation, cause)
