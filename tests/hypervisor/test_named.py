"""docs/reliability.md names a test for each known bug and each point: all of them exist."""

from __future__ import annotations

import re
from pathlib import Path

from guestos import manifest
from toyvm.proofs.bugs import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ("## Bugs that others had", "## What fails when a point of the architecture breaks")


def rows() -> list[list[str]]:
    """The cells of both tables."""
    text = (ROOT / "docs" / "reliability.md").read_text()
    out = []
    for section in SECTIONS:
        body = text.split(section + "\n", 1)[1].split("\n## ", 1)[0]
        lines = [line for line in body.splitlines() if line.startswith("|")][2:]
        assert len(lines) >= 15
        out += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return out


def functions() -> set[str]:
    """The name of every test function."""
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))


def test_every_test_and_guest_that_is_named_exists() -> None:
    known = functions() | set(manifest())
    missing = []
    for cells in rows():
        named = re.findall(r"`([a-z0-9_-]+)`", cells[1])
        assert named, cells
        missing += [name for name in named if name not in known]
    assert missing == []


def test_every_bug_that_can_be_switched_in_is_in_the_table() -> None:
    named = {name for cells in rows() for name in re.findall(r"`([a-z0-9-]+)`", "".join(cells[2:]))}
    assert named == set(BY_NAME)
