"""Tables and the decision about colour."""

from __future__ import annotations

import io

import pytest

from toyvm.ui.tables import Table, grouped, paragraph, print_table, size_text
from toyvm.ui.theme import Painter, colour_wanted, live_wanted


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_colour_only_on_a_willing_terminal(monkeypatch):
    assert colour_wanted(Tty())
    assert live_wanted(Tty())
    assert not colour_wanted(io.StringIO())
    assert not live_wanted(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(Tty())
    monkeypatch.setenv("NO_COLOR", "")
    assert colour_wanted(Tty())
    monkeypatch.setenv("TERM", "dumb")
    assert not colour_wanted(Tty())
    assert not live_wanted(Tty())


def test_a_closed_stream_is_no_terminal():
    stream = Tty()
    stream.close()
    assert not colour_wanted(io.StringIO())
    assert not colour_wanted(None)


def test_painter():
    assert Painter(False).paint("pc", "=>") == "=>"
    assert Painter(True).paint("pc", "=>") == "\x1b[1;32m=>\x1b[0m"
    with pytest.raises(KeyError):
        Painter(False).paint("no such style", "x")


def test_plain_tables_are_aligned():
    table = Table(("name", "count"), right=("count",))
    table.add("a", 5)
    table.add("longer", None)
    assert table.plain() == "name    count\na           5\nlonger      -\n"
    out = io.StringIO()
    print_table(table, out)
    assert out.getvalue() == table.plain()


def test_a_plain_table_fits_into_a_narrow_terminal(monkeypatch):
    """Without colour a terminal gets plain text: folded in its columns, not at its edge."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    table = Table(("name", "words", "what it is"), right=("words",))
    table.add("one", 1234567, "a text of several words that is longer than the terminal is wide")
    table.add("two", 8, "short")
    out = Terminal()
    print_table(table, out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[1].split()[:2] == ["one", "1234567"]
    assert "1234567" not in lines[2]
    assert " ".join(out.getvalue().split()).count("wide") == 1
    plain = io.StringIO()
    print_table(table, plain)
    assert len(plain.getvalue().splitlines()) == 3, "elsewhere one line a row"
    assert max(map(len, paragraph("word " * 60, out).splitlines())) <= 40


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="1 cells for 2 headings"):
        Table(("a", "b")).add("only one")


def test_a_terminal_gets_the_same_cells():
    table = Table(("name",), title="T")
    table.add("[bold]not markup[/bold]")
    out = Tty()
    print_table(table, out)
    assert "[bold]not markup[/bold]" in out.getvalue()


def test_numbers_and_sizes():
    assert grouped(1234567) == "1,234,567"
    assert grouped(None) == "-"
    assert size_text(128 << 20) == "128M"
    assert size_text(64 << 10) == "64K"
    assert size_text(1000) == "1000 bytes"
