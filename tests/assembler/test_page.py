"""docs/assembler.md says what the tests prove and the messages really are."""

from __future__ import annotations

import pytest

from assembler import AssemblyError, Diagnostic, Source, assemble

from . import page
from .gnu import needs_gnu

PARTS = page.parts()


@pytest.mark.parametrize("name", PARTS)
def test_the_generated_parts_are_up_to_date(name):
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.part(text, name) == PARTS[name], f"out of date; run: {page.COMMAND}"


def diagnostics(text: str) -> list[Diagnostic]:
    """Everything that we say about a source."""
    try:
        return assemble(Source("a.s", text)).warnings
    except AssemblyError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", page.mistakes(), ids=lambda p: p.stem)
def test_a_mistake_gets_one_message_that_helps(path):
    (item,) = diagnostics(path.read_text())
    assert item.column > 0
    assert item.expected or item.hint or item.notes


def test_there_are_twenty_mistakes():
    assert len(page.mistakes()) >= 20


@needs_gnu
@pytest.mark.parametrize("path", page.mistakes(), ids=lambda p: p.stem)
def test_gnu_as_says_what_the_page_shows(path):
    assert page.gnu_answer(path) + "\n" == path.with_suffix(".gnu").read_text()


def test_directives_without_a_comparison_are_few():
    from assembler.directives import DIRECTIVES

    compared = {word for snippet in page.ALL for word in page.words(snippet)}
    assert len(DIRECTIVES.keys() - compared) < 25
