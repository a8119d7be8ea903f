"""Every file of the project speaks of the project alone, and is plain text that can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .console import ROOT

#: Folders and files that belong to the project; everything else in a checkout is made by tools.
PARTS = (
    "toyvm", "assembler", "guestos", "lessons", "labs", "tests", "benchmarks", "fuzz", "docs",
    ".ci", "Makefile", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
    "LICENSE", ".gitignore",
)  # fmt: skip
BINARY = {".bin", ".dtb", ".elf", ".gz", ".img", ".npz", ".pcap", ".png", ".svg"}

FORBIDDEN = {
    # "#12" is what trackers call their entries; "#1  0x..." is a frame of a backtrace.
    "a tracker's number": re.compile(r"(?<![\w&#/$])#[1-9][0-9]{0,4}(?![\w#]|  )"),
    "a tracker's entry": re.compile(r"\bissues? (?:number|no\.|[0-9])", re.IGNORECASE),
    "a path of one computer": re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+)(?:/|\b)"),
    "who wrote it": re.compile(
        r"\b(?:claude|anthropic|chatgpt|openai|copilot|language model|prompted)\b", re.IGNORECASE
    ),
    "how it was written": re.compile(
        r"\b(?:previous|earlier|other|another|next|last|parallel) (?:session|helper|worker)s?\b"
        r"|\bhelper (?:session|agent)s?\b|\bsub-?agents?\b",
        re.IGNORECASE,
    ),
    "something unfinished": re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b"),
}
#: Where the words are meant: here, and the mark of what a student has to write.
MEANT = re.compile(
    r"tests/project/test_texts\.py: .*"
    r"|(?:lessons|tests/lessons|docs)/.*: something unfinished"
)


def files() -> Iterator[Path]:
    """All files of the project."""
    for part in PARTS:
        path = ROOT / part
        if path.is_file():
            yield path
        for file in sorted(path.rglob("*")) if path.is_dir() else ():
            if file.is_file() and "__pycache__" not in file.parts and file.suffix not in BINARY:
                yield file


def finds(text: str) -> list[tuple[int, str, str]]:
    """(line number, what, line) of everything forbidden in a text."""
    return [
        (number, what, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def test_the_project_speaks_of_itself_alone() -> None:
    problems = []
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        for number, what, line in finds(path.read_text(encoding="utf-8")):
            if not MEANT.fullmatch(f"{name}: {what}"):
                problems.append(f"{name}:{number}: {what}: {line}")
    assert not problems, "\n".join(problems)


def test_texts_end_with_one_newline_and_hold_no_tabs_or_carriage_returns() -> None:
    problems = []
    for path in files():
        data = path.read_bytes()
        name = path.relative_to(ROOT).as_posix()
        if b"\r" in data:
            problems.append(f"{name}: carriage return")
        if data and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
            problems.append(f"{name}: does not end with exactly one newline")
        if b"\t" in data and path.name != "Makefile":
            problems.append(f"{name}: tab")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("line", "forbidden"),
    [
        ("see #12 for why", True),
        ("closes #7", True),
        ("#define X", False),
        ("#1  0x80000010 <main+4>", False),
        ("&#39;", False),
        ("issue 4 says", True),
        ("the guest issues one request", False),
        ("/root/.cache", True),
        ("the /work folder", True),
        ("docs/work/x", False),
        ("a debugging session", False),
        ("as another session found", True),
        ("a helper function", False),
        ("raise NotImplementedError", True),
    ],
)
def test_what_is_found(line: str, forbidden: bool) -> None:
    assert bool(finds(line)) == forbidden
