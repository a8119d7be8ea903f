"""Guest output on a shared screen, and spelling suggestions."""

from __future__ import annotations

import pytest

from toyvm.ui.text import MAX_LINE, LineSplitter, Tail, did_you_mean, distance, printable


def test_lines_are_handed_out_when_complete():
    lines: list[str] = []
    splitter = LineSplitter(lines.append)
    splitter.feed(b"one\ntw")
    assert lines == ["one"]
    assert splitter.unfinished == "tw"
    splitter.feed(b"o\r\n")
    assert lines == ["one", "two"]
    splitter.feed(b"rest")
    splitter.finish()
    assert lines == ["one", "two", "rest"]
    splitter.finish()
    assert len(lines) == 3


def test_a_line_without_end_is_cut():
    lines: list[str] = []
    splitter = LineSplitter(lines.append)
    for _ in range(3):
        splitter.feed(b"x" * MAX_LINE)
    assert sum(map(len, lines)) >= 2 * MAX_LINE
    assert max(map(len, lines)) == MAX_LINE


def test_characters_cut_between_two_writes_come_out_whole():
    lines: list[str] = []
    splitter = LineSplitter(lines.append)
    for byte in "grün\n".encode():
        splitter.feed(bytes([byte]))
    assert lines == ["grün"]


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b[1;1Hfake",
        "\x1b]0;title\x07fake",
        "\x1b]0;title\x1b\\fake",
        "fa\x08\x07\x00ke",
        "\x9b2Jfake"[0] + "fake",
        "\x1bcfake",
        "\x1b(Bfake",
    ],
)
def test_guests_cannot_reach_the_terminal(hostile):
    shown = printable(hostile)
    assert shown.endswith("fake")
    assert all(ch.isprintable() for ch in shown)


def test_tail_keeps_the_last_lines_and_the_unfinished_one():
    tail = Tail(keep=3)
    tail.feed(b"a\nb\nc\nd\ne")
    assert tail.lines(10) == ["b", "c", "d", "e"]
    assert tail.lines(2) == ["d", "e"]
    assert tail.lines(0) == []


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [("step", "step", 0), ("stpe", "step", 1), ("tep", "step", 1), ("steep", "step", 1),
     ("stop", "step", 1), ("", "abc", 3), ("kitten", "sitting", 3)],
)  # fmt: skip
def test_distance(a, b, steps):
    assert distance(a, b) == distance(b, a) == steps


def test_suggestions_are_near_or_absent():
    assert did_you_mean("teachso", ["hello", "teachos"]) == '; did you mean "teachos"?'
    assert did_you_mean("stpe", ["type", "step"]) == '; did you mean "step"?'
    assert did_you_mean("Hello", ["hello"]) == '; did you mean "hello"?'
    assert did_you_mean("zebra", ["hello", "teachos"]) == ""
    assert did_you_mean("x", ["a", "b"]) == ""
