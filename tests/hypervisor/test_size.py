"""The hypervisor's heart is small enough to read: that is a promise."""

from __future__ import annotations

from pathlib import Path

import toyvm.hypervisor

HEART = ("vcpu", "emulate", "shadow", "reflect", "mmio")
LIMIT = 1_000


def test_the_compiled_heart_has_at_most_a_thousand_lines() -> None:
    folder = Path(toyvm.hypervisor.__file__).parent
    lines = {name: len((folder / f"{name}.py").read_text("utf-8").splitlines()) for name in HEART}
    assert sum(lines.values()) <= LIMIT, lines
