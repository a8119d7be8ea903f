"""docs/conformance.md names tests and probes that exist, and all probes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guestos import manifest
from guestos.listing import PROBE_PREFIX

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "conformance.md").read_text("utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE)))
PROBES = {name for name, guest in manifest().items() if guest.kind == "probe"}
# The table of features, up to the next title.
FEATURES = PAGE.split("## Feature by feature", 1)[1].split("\n## ", 1)[0]
ROWS = [line for line in FEATURES.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("name", TESTS)
def test_a_named_test_exists(name: str) -> None:
    path = PROJECT / name
    assert path.exists(), f"{name}: no such file or folder"
    if path.suffix == ".py" and path.name.startswith("test_"):
        assert "def test_" in path.read_text("utf-8")


def test_there_are_names_to_check() -> None:
    assert len(TESTS) > 30
    assert len(ROWS) > 25


def test_a_short_name_is_beside_its_folder() -> None:
    """`test_virtqueue.py` alone stands for one in the folder that the line names before it."""
    for line in PAGE.splitlines():
        for short in re.findall(r"`(test_\w+\.py)`", line):
            folders = re.findall(r"`(tests/[\w/]+)/[\w.]+`", line)
            assert any((PROJECT / folder / short).exists() for folder in folders), line


def test_every_probe_is_named_and_every_named_probe_exists() -> None:
    named = set(re.findall(rf"`({PROBE_PREFIX}[a-z0-9_]+)`", PAGE))
    assert named - PROBES == set(), "named, but not in the manifest"
    assert PROBES - named == set(), "in the manifest, but not named"


def test_every_feature_names_a_test_and_a_judge() -> None:
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4, row
        assert "tests/" in cells[2] or "probe-" in cells[2], row
        assert cells[3], row
