"""Directives, expressions, labels and macros, one small source each: GNU as and we agree on
what is taken, on the bytes and on the symbols, but for the deliberate differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from assembler import AssemblyError, Source, assemble

from . import deliberate
from .gnu import (
    GnuError,
    GnuTooLarge,
    Program,
    at_most,
    differences,
    gnu_link,
    needs_gnu,
    read_program,
)

HEAD = ".globl _start\n_start: nop\nfoo: nop\n"
FILE = Path(__file__).with_name("snippets.txt")
ALL = [line for line in FILE.read_text().splitlines() if line]
GROUPS = 4
LARGEST = 64 << 20
"""Bytes of a file of GNU's."""


def verdict(folder: Path, snippet: str) -> str:
    """ "equal", "refused" (by both), "refused here", "taken here" or "otherwise"."""
    text = HEAD + snippet.replace("|", "\n") + "\n"
    try:
        with at_most(LARGEST):
            gnu = gnu_link(folder, {"a.s": text}, options=["--unresolved-symbols=ignore-all"])
    except GnuTooLarge:
        # Taken, and thrown away on the way to the disk.
        gnu = Program({}, {}, 0)
    except GnuError:
        gnu = None
    try:
        ours = read_program(assemble(Source("a.s", text)).to_elf())
    except AssemblyError:
        return "refused" if gnu is None else "refused here"
    if gnu is None:
        return "taken here"
    # Unwinding tables are compared by the tests of what writes them.
    found = [d for d in differences(ours, gnu) if not d.startswith(".eh_frame")]
    return "otherwise" if found else "equal"


def expected(snippet: str) -> set[str]:
    """The verdicts that a snippet may have."""
    for table, word in (
        (deliberate.REFUSED, "refused here"),
        (deliberate.TAKEN, "taken here"),
        (deliberate.OTHERWISE, "otherwise"),
    ):
        if snippet in deliberate.snippets(table):
            return {word}
    return {"equal", "refused"}


def test_the_differences_are_among_the_snippets():
    tables = (deliberate.REFUSED, deliberate.TAKEN, deliberate.OTHERWISE)
    assert [s for t in tables for s in deliberate.snippets(t) if s not in ALL] == []
    assert len(ALL) == len(set(ALL))


@needs_gnu
@pytest.mark.parametrize("group", range(GROUPS))
def test_the_same_as_gnu_as_or_different_on_purpose(tmp_path, group):
    mine = ALL[group::GROUPS]
    found = {snippet: verdict(tmp_path, snippet) for snippet in mine}
    assert {s: v for s, v in found.items() if v not in expected(s)} == {}
    # Most of them are sources that both take.
    assert sum(v == "equal" for v in found.values()) > len(mine) // 2
